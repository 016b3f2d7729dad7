"""The events of very many models: what Airflow itself would write, with few statements."""

import inspect
import textwrap
from contextlib import contextmanager

import pytest
from airflow.models.asset import AssetDagRunQueue, AssetEvent, AssetModel
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import event, select
from sqlalchemy.engine import Engine
from sqlalchemy.orm import selectinload

from airflow_dbt_cloud.plugins import model_events as plugin
from airflow_dbt_cloud.testing.dag_runs import read_dag


# Airflow itself uses what it calls deprecated.
pytestmark = pytest.mark.filterwarnings("default")

COUNT = 2 * plugin.PORTION + 1
# A task that has built very many models; and DAGs that wait for one of them, by each kind of
# reference that Airflow knows, for any of them, or for none.
DAGS = """
    from airflow.sdk import DAG, Asset, task

    from airflow_dbt_cloud.assets import MODELS, model_asset, publish
    from dbt_cloud_api.built_models import BuiltModel


    with DAG("PROJECT", schedule=None):

        @task(outlets=[MODELS, Asset("of_PROJECT_itself")])
        def build(**context):
            models = [BuiltModel("PROJECT", f"m{n}", n, 0.5, "i") for n in range(COUNT)]
            publish(context, models, {"id": 70403104000001, "href": "https://cloud/runs/1/"})

        build()


    def wait(dag_id, schedule, paused=False):
        with DAG(f"PROJECT_{dag_id}", schedule=[schedule], is_paused_upon_creation=paused):
            task(lambda: None).override(task_id="nothing")()


    wait("asset", model_asset("PROJECT", "m1"))
    wait("name", Asset.ref(name="PROJECT.m2"))
    wait("uri", Asset.ref(uri="dbt://PROJECT/m3"))
    wait("any", MODELS)
    wait("other", model_asset("PROJECT", "never_built"))
    wait("paused", MODELS, paused=True)
"""


@pytest.fixture
def build(tmp_path, run_to_its_end):
    """Run the task for a project, whose name is the DAG's; give how the dag_run ended."""

    def build(project):
        text = textwrap.dedent(DAGS).replace("PROJECT", project).replace("COUNT", str(COUNT))
        (tmp_path / f"{project}.py").write_text(text)
        return run_to_its_end(read_dag(tmp_path, project)).state

    return build


def written(project):
    """What the task has left in Airflow's database, the project's name taken out of it."""
    with create_session() as session:
        rows = session.execute(
            select(AssetModel, AssetEvent)
            .join(AssetEvent, AssetEvent.asset_id == AssetModel.id)
            .where(AssetEvent.source_dag_id == project)
            .options(selectinload(AssetModel.aliases), selectinload(AssetEvent.source_aliases))
        )
        events = [
            [
                *(asset.name, asset.uri, asset.group, asset.extra),
                [alias.name for alias in asset.aliases],
                *(told.extra, told.source_task_id, told.source_map_index, told.partition_key),
                [alias.name for alias in told.source_aliases],
            ]
            for asset, told in rows
        ]
        queued = session.execute(
            select(AssetDagRunQueue.target_dag_id, AssetModel.name)
            .join(AssetModel, AssetModel.id == AssetDagRunQueue.asset_id)
            .where(
                AssetDagRunQueue.target_dag_id.startswith(project),
                AssetModel.name.startswith(project),
            )
        )
        return [
            sorted(str(row).replace(project, "…") for row in found) for found in (events, queued)
        ]


@contextmanager
def statements():
    """Count what is sent to the database."""
    sent = []

    def note(_connection, _cursor, statement, *_):
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield sent
    event.remove(Engine, "before_cursor_execute", note)


class TestWithThePlugin:
    def test_writes_what_airflow_would(self, build, monkeypatch):
        """Events, assets, aliases and the queue of DAGs are row by row those of Airflow's own."""
        assert build("together") == "success"
        with monkeypatch.context() as without:
            own = staticmethod(plugin.airflows_own)
            without.setattr(TaskInstance, "register_asset_changes_in_db", own)
            assert build("one_by_one") == "success"

        events, queued = written("together")
        assert [events, queued] == written("one_by_one")
        assert len(events) == COUNT + 1
        assert len(set(events)) == COUNT + 1
        assert len(queued) == COUNT + 3

    def test_takes_few_statements(self, build):
        """Statements are for portions of models; one for each would be too slow by far."""
        with statements() as sent:
            build("few")

        assert len(written("few")[0]) == COUNT + 1
        assert len(sent) < COUNT / 2

    def test_second_time(self, build):
        """Another run of the task publishes each of its models once more."""
        build("twice")
        build("twice")

        events, queued = written("twice")
        assert [events.count(each) for each in set(events)] == [2] * (COUNT + 1)
        assert len(queued) == COUNT + 3

    def test_fails_in_the_middle(self, build, monkeypatch):
        """Where not all can be published, none is: a retry would publish some of them twice."""
        portions = []

        def fail(_publication, _written):
            portions.append(1)
            if len(portions) > 1:
                raise RuntimeError("the database is full")

        with monkeypatch.context() as broken:
            broken.setattr(plugin.Publication, "_queue", fail)
            build("broken")
        assert len(portions) == 2
        assert written("broken") == [[], []]

        assert build("broken") == "success"
        assert len(written("broken")[0]) == COUNT + 1

    def test_somebody_is_first(self, build, monkeypatch):
        """An asset that another task writes down at the same moment is there once, for both."""
        build("shared")
        known, looks = plugin.Publication._known, []

        def as_it_was(publication, portion):
            looks.append(1)
            return {} if len(looks) == 1 else known(publication, portion)

        monkeypatch.setattr(plugin.Publication, "_known", as_it_was)

        assert build("shared") == "success"
        with create_session() as session:
            names = session.scalars(
                select(AssetModel.name).where(AssetModel.name.startswith("shared."))
            ).all()
        assert len(names) == len(set(names)) == COUNT + 1


def test_airflow_is_as_it_was():
    """What the plugin stands in for has the parameters that it was written for."""
    parameters = inspect.signature(inspect.unwrap(plugin.airflows_own)).parameters

    assert list(parameters) == ["ti", "task_outlets", "outlet_events", "session"]
    assert TaskInstance.register_asset_changes_in_db is plugin.register_asset_changes
