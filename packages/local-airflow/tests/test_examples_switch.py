"""EXAMPLES in `.env`: the examples are there, or nothing of them is."""

import json
from pathlib import Path

import pytest

from dbt_cloud_api.user_error import UserError
from local_airflow.native.process_table import dag_bundles, python_path, task_environment
from local_airflow.running import mode_choice
from local_airflow.stack import settings as stack_settings
from local_airflow.stack.generated_secrets import Secrets
from local_airflow.stack.settings import make_settings


def settings_with(**dotenv):
    secrets = Secrets(*[""] * len(Secrets.__dataclass_fields__))
    return make_settings({"MODE": "native", **dotenv}, lambda _: secrets)


def test_on_by_default():
    """As `.env` is copied, the examples are a second folder of DAGs, and bring their plugins."""
    settings = settings_with()
    bundles = json.loads(dag_bundles(settings))

    assert [each["name"] for each in bundles] == ["dags-folder", "examples"]
    assert Path(bundles[1]["kwargs"]["path"]).is_dir()
    assert python_path(settings).endswith("examples/plugins")
    assert "AIRFLOW_VAR_FLIGHTS_SOURCE" in task_environment(settings)


@pytest.mark.parametrize("how", ["switched off", "deleted"])
def test_off(how, monkeypatch, tmp_path):
    """Switched off or deleted, nothing names them: no folder, no plugin, no Compose file."""
    if how == "deleted":
        monkeypatch.setattr(stack_settings, "EXAMPLES_FOLDER", tmp_path / "examples")
    settings = settings_with(EXAMPLES="false" if how == "switched off" else "true")
    chosen = {"mode": "docker", "executor": "celery", "workers": 0}
    celery = mode_choice._make(settings, chosen)

    assert [each["name"] for each in json.loads(dag_bundles(settings))] == ["dags-folder"]
    assert "examples" not in python_path(settings)
    assert task_environment(settings) == {}
    assert "examples" not in " ".join(celery.compose.base[4:])


def test_what_is_no_switch():
    """Anything but true and false is refused, with what to write."""
    with pytest.raises(UserError) as refused:
        settings_with(EXAMPLES="maybe")

    assert "EXAMPLES=maybe is neither true nor false" in str(refused.value)
    assert "EXAMPLES=false" in str(refused.value)
