"""
Airflow's home for the checks of its provider.

A module of its own that pytest loads first, because Airflow reads its settings, and aiohttp its
certificates, when they are imported.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


DAGS = Path(__file__).parents[1] / "checks/airflow/dags"
HOME = Path.home() / "airflow"
EMITTING = ("lineage_of_the_operator", "lineage_of_the_sensor")
LINEAGE = HOME / "lineage.jsonl"


def emission_policy() -> list[dict[str, object]]:
    """Only the DAGs that are about lineage emit: an event costs a process."""
    silent: dict[str, object] = {"scope": {}, "controls": {"emit": False}}
    return [silent, *({"scope": {"dag_id": i}, "controls": {"emit": True}} for i in EMITTING)]


def tell_airflow() -> None:
    facts = json.loads(os.environ["SEEDED_DBT_CLOUD"])
    connection = {
        "conn_type": "dbt_cloud",
        "host": facts["host"],
        "login": str(facts["account"]),
        "password": facts["token"],
    }
    bundle = {
        "name": "dags-folder",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(DAGS)},
    }
    transport = {"type": "file", "log_file_path": str(LINEAGE), "append": True}
    os.environ |= {
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW_CONN_DBT_CLOUD_DEFAULT": json.dumps(connection),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
        "AIRFLOW__OPENLINEAGE__EXECUTION_TIMEOUT": "120",
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "checks",
        "AIRFLOW__OPENLINEAGE__EMISSION_POLICY": json.dumps(emission_policy()),
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
    }


tell_airflow()


@pytest.fixture(scope="session")
def run_dag():
    """Run a DAG of the checks with `dag.test()`; answer its dag_run."""
    migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(migrate, check=True, stdout=subprocess.DEVNULL, timeout=240)

    from airflow.dag_processing.dagbag import DagBag

    dags = DagBag(DAGS)
    assert dags.import_errors == {}
    return lambda dag_id, **conf: dags.dags[dag_id].test(run_conf=conf or None)


RUN_DAGS = """
import sys
from airflow.dag_processing.dagbag import DagBag

dags = DagBag(sys.argv[1])
for dag_id in sys.argv[2:]:
    dags.dags[dag_id].test()
"""


@pytest.fixture(scope="session")
def lineage(run_dag):
    """
    The OpenLineage events of the DAGs that emit some.

    In a process of their own: events are emitted by a fork of the task's process, and a fork of
    one in which many threads have run may wait for ever.
    """
    command = [sys.executable, "-c", RUN_DAGS, str(DAGS), *EMITTING]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=200)
    return [json.loads(line) for line in LINEAGE.read_text().splitlines()]
