"""
### Airflow and dbt Core, a task per model

The dbt project of `dbt_project/` without dbt Cloud: astronomer-cosmos draws a task for each model,
and each task runs `dbt build` for its model and the dbt tests of it, in an environment of its own
(`DBT_EXECUTABLE`). It builds into the schema `dbt_core` of the connection `warehouse`, so that it
leaves alone what dbt Cloud has built.

**When it is red**

- A task has the name of its model; its log is dbt's own. Mend the model and clear that task with
  *downstream*: what was built before is not built again.
- `raw.… does not exist`: the warehouse is empty; `make load-flights MONTH=2013-01`.
- `No such file or directory: 'dbt'`: there is no dbt where `DBT_EXECUTABLE` says.
- A new model, or a new `ref`, shows after `make graph`; the rest of a model is read at each run.
"""

from airflow.sdk import dag
from cosmos import DbtTaskGroup, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import InvocationMode, LoadMode, TestBehavior, TestIndirectSelection
from cosmos.profiles import PostgresUserPasswordProfileMapping

from examples.include.dbt_core import GRAPH, PROJECT, dbt_executable
from examples.include.task_defaults import TASK_DEFAULTS
from examples.include.warehouse import WAREHOUSE


@dag(
    schedule=None,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    tags=["dbt core", "gallery"],
    doc_md=__doc__,
)
def dbt_core_cosmos() -> None:
    DbtTaskGroup(
        group_id="flights",
        project_config=ProjectConfig(manifest_path=GRAPH, project_name="flights"),
        profile_config=ProfileConfig(
            profile_name="flights",
            target_name="default",
            profile_mapping=PostgresUserPasswordProfileMapping(
                conn_id=WAREHOUSE, profile_args={"schema": "dbt_core"}
            ),
        ),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_MANIFEST, test_behavior=TestBehavior.BUILD, emit_datasets=False
        ),
        execution_config=ExecutionConfig(
            dbt_project_path=PROJECT,
            install_dbt_deps=False,
            dbt_executable_path=dbt_executable(),
            invocation_mode=InvocationMode.SUBPROCESS,
            test_indirect_selection=TestIndirectSelection.CAUTIOUS,
        ),
    )


dbt_core_cosmos()
