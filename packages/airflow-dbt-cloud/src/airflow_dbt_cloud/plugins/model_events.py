"""
Publish the asset events of all models of a run together, in the transaction that ends the task.

Airflow publishes what a task has to tell in the request that makes the task a success, one event
after the other, each with a dozen statements. A worker waits `[workers] execution_api_timeout` for
the answer, and the models of a large project take longer. Here the same rows are written in
portions, and each statement writes a whole portion. It stays one transaction: an event is there
once, whatever dies, or the task has not ended.

What else was thought of, and the figures: docs/decisions/0031-events-of-many-models.md.
"""

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple, Self

import structlog
from airflow._shared.observability.metrics import stats
from airflow.assets.manager import AssetManager, asset_manager
from airflow.configuration import conf
from airflow.listeners import hookimpl
from airflow.listeners.types import AssetEvent as ToldEvent
from airflow.models.asset import (
    AssetAliasModel,
    AssetDagRunQueue,
    AssetEvent,
    AssetModel,
    DagScheduleAssetAliasReference,
    DagScheduleAssetNameReference,
    DagScheduleAssetReference,
    DagScheduleAssetUriReference,
    alias_association_table,
    asset_alias_asset_event_association_table,
)
from airflow.models.dag import DagModel
from airflow.models.taskinstance import TaskInstance
from airflow.plugins_manager import AirflowPlugin
from airflow.utils.sqlalchemy import get_dialect_name
from sqlalchemy import func, insert, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from airflow_dbt_cloud.assets import MODELS


# Models for each statement; the databases that take the fewest values take about a thousand.
PORTION = 250
# INSERT that leaves what is there as it is, for each database that Airflow runs on.
WITHOUT_THE_KNOWN: dict[str | None, Callable[[Any], Any]] = {
    "postgresql": lambda table: postgresql.insert(table).on_conflict_do_nothing(),
    "sqlite": lambda table: sqlite.insert(table).on_conflict_do_nothing(),
    "mysql": lambda table: insert(table).prefix_with("IGNORE"),
}

Assets = dict[tuple[str, str], AssetModel]
Callbacks = list[Callable[[], None]]

airflows_own = TaskInstance.register_asset_changes_in_db
log = structlog.get_logger(__name__)


class ModelEvent(NamedTuple):
    """What a task has to tell of one model. The extras are JSON, so that equal ones are one."""

    name: str
    uri: str
    asset_extra: str
    extra: str

    @classmethod
    def of(cls, outlet_event: Mapping[str, Any]) -> Self:
        asset_extra = json.dumps(outlet_event.get("dest_asset_extra") or {}, sort_keys=True)
        extra = json.dumps(outlet_event["extra"], sort_keys=True)
        return cls(**outlet_event["dest_asset_key"], asset_extra=asset_extra, extra=extra)


def register_asset_changes(
    ti: TaskInstance,
    task_outlets: list[Any],
    outlet_events: list[dict[str, Any]],
    *,
    session: Session,
) -> Callbacks:
    """
    Stand in for Airflow's method: the events of models together, all others as ever.

    Answers what is to be called once the transaction is committed.
    """
    if not _may_go_together(ti, task_outlets):
        return [*airflows_own(ti, task_outlets, outlet_events, session=session)]
    others: list[dict[str, Any]] = []
    of_models: set[ModelEvent] = set()
    for event in outlet_events:
        if event.get("source_alias_name") == MODELS.name:
            of_models.add(ModelEvent.of(event))
        else:
            others.append(event)
    callbacks = [*airflows_own(ti, task_outlets, others, session=session)]
    if of_models:
        callbacks += _publish(ti, of_models, session)
    return callbacks


def _may_go_together(ti: TaskInstance, task_outlets: list[Any]) -> bool:
    """Whether the task publishes models, and nothing that Airflow alone knows comes into it."""
    if type(asset_manager) is not AssetManager or conf.getboolean("core", "multi_team"):
        return False
    if ti.dag_run.partition_key is not None:
        return False
    return any(each.type == "AssetAlias" and each.name == MODELS.name for each in task_outlets)


def _publish(ti: TaskInstance, events: set[ModelEvent], session: Session) -> Callbacks:
    began = time.monotonic()
    publication, callbacks = Publication(ti, session), []
    # In one order everywhere, so that two tasks with the same models never wait for each other in a
    # circle.
    in_order = sorted(events)
    for start in range(0, len(in_order), PORTION):
        callbacks += publication.write(in_order[start : start + PORTION])
    publication.finish()
    seconds = round(time.monotonic() - began, 2)
    log.info("Published the events of models", events=len(events), seconds=seconds)
    return callbacks


class Publication:
    """Writes the events of a task that ends, into the transaction that ends it."""

    def __init__(self, ti: TaskInstance, session: Session) -> None:
        self.ti, self.session = ti, session
        self.source: dict[str, Any] = {
            "source_task_id": ti.task_id,
            "source_dag_id": ti.dag_id,
            "source_run_id": ti.run_id,
            "source_map_index": ti.map_index,
        }
        self.alias = self._read_alias()
        waiting = self._waiting_for(DagScheduleAssetAliasReference.alias_id, [self.alias.id])
        self.waiting_for_any = waiting.get(self.alias.id, set())
        self.last_before = session.scalar(select(func.max(AssetEvent.id))) or 0

    def write(self, portion: Sequence[ModelEvent]) -> Callbacks:
        """Write events, and queue what waits for them; give what is to be called afterwards."""
        assets = self._assets(portion)
        written = [(assets[each.name, each.uri], json.loads(each.extra)) for each in portion]
        # Before the queue: Airflow takes an event for older than what it has started.
        events = [{**self.source, "asset_id": asset.id, "extra": extra} for asset, extra in written]
        self.session.execute(insert(AssetEvent.__table__), events)
        self._queue(assets.values())
        stats.incr("asset.updates", len(written))
        return [call for asset, extra in written for call in self._callbacks(asset, extra)]

    def finish(self) -> None:
        """Write down by which alias all of the events came."""
        source = [getattr(AssetEvent, name) == value for name, value in self.source.items()]
        ours = select(literal(self.alias.id), AssetEvent.id).where(
            AssetEvent.id > self.last_before, *source
        )
        table = asset_alias_asset_event_association_table
        self.session.execute(insert(table).from_select(["alias_id", "event_id"], ours))

    def _read_alias(self) -> AssetAliasModel:
        named = select(AssetAliasModel).where(AssetAliasModel.name == MODELS.name)
        alias = self.session.scalar(named)
        if alias is None:
            alias = AssetAliasModel(name=MODELS.name)
            self.session.add(alias)
            self.session.flush()
        return alias

    def _assets(self, portion: Sequence[ModelEvent]) -> Assets:
        """Give the assets of a portion, of the alias from now on; unknown ones are created."""
        known = self._known(portion)
        new = {(each.name, each.uri) for each in portion}.difference(known)
        if new:
            # The group is the one that Airflow gives to what comes by an alias.
            self._insert_new(
                AssetModel.__table__,
                [
                    {
                        "name": each.name,
                        "uri": each.uri,
                        "group": "asset",
                        "extra": json.loads(each.asset_extra),
                    }
                    for each in portion
                    if (each.name, each.uri) in new
                ],
            )
            known = self._known(portion)
        ids = sorted(asset.id for asset in known.values())
        of_alias = [{"alias_id": self.alias.id, "asset_id": asset_id} for asset_id in ids]
        self._insert_new(alias_association_table, of_alias)
        return known

    def _known(self, portion: Sequence[ModelEvent]) -> Assets:
        wanted = {(each.name, each.uri) for each in portion}
        named = select(AssetModel).where(AssetModel.name.in_({name for name, _ in wanted}))
        found = {(asset.name, asset.uri): asset for asset in self.session.scalars(named)}
        return {key: asset for key, asset in found.items() if key in wanted}

    def _insert_new(self, table: Any, rows: list[dict[str, Any]]) -> None:
        """Insert rows but those that are there, also since a moment ago, by another task."""
        if rows:
            self.session.execute(WITHOUT_THE_KNOWN[get_dialect_name(self.session)](table), rows)

    def _queue(self, assets: Collection[AssetModel]) -> None:
        """Have the scheduler start the DAGs that wait for these assets, one way or the other."""
        by_id = self._waiting_for(DagScheduleAssetReference.asset_id, [each.id for each in assets])
        by_name = self._waiting_for(
            DagScheduleAssetNameReference.name, [each.name for each in assets]
        )
        by_uri = self._waiting_for(DagScheduleAssetUriReference.uri, [each.uri for each in assets])
        rows = [
            {"asset_id": asset.id, "target_dag_id": dag_id}
            for asset in assets
            for dag_id in sorted(
                self.waiting_for_any.union(
                    by_id.get(asset.id, ()), by_name.get(asset.name, ()), by_uri.get(asset.uri, ())
                )
            )
        ]
        self._insert_new(AssetDagRunQueue.__table__, rows)

    def _waiting_for(self, what: Any, values: Collection[Any]) -> dict[Any, set[str]]:
        """Find the DAGs that are not paused and whose schedule names one of these values."""
        found: dict[Any, set[str]] = {}
        referring = (
            select(what, DagModel.dag_id)
            .join(DagModel, DagModel.dag_id == what.class_.dag_id)
            .where(what.in_(values), DagModel.is_paused.is_(False), ~DagModel.timetable_partitioned)
        )
        for value, dag_id in self.session.execute(referring):
            found.setdefault(value, set()).add(dag_id)
        return found

    def _callbacks(self, asset: AssetModel, extra: dict[str, Any]) -> Callbacks:
        serialized = asset.to_serialized()
        told = ToldEvent(
            asset=serialized,
            extra=extra,
            **self.source,
            source_aliases=[self.alias.to_serialized()],
            partition_key=None,
        )
        return [
            partial(asset_manager.notify_asset_changed, asset=serialized),
            partial(asset_manager.nofity_asset_event_emitted, asset_event=told),
        ]


class PublishedListener:
    """Airflow calls it in the process of the task, when it has been told that the task is over."""

    @hookimpl
    def on_task_instance_success(self, previous_state: Any, task_instance: Any) -> None:  # noqa: ARG002 # Airflow's names
        operator = getattr(task_instance, "task", None)
        published = getattr(operator, "published_models", 0)
        if operator is not None and published:
            took = (datetime.now(UTC) - task_instance.end_date).total_seconds()
            operator.log.info(
                "Telling Airflow of the asset events of %s models took %.1f s.",
                f"{published:,}",
                took,
            )


class DbtCloudModelEventsPlugin(AirflowPlugin):
    name = "dbt_cloud_model_events"
    listeners = [PublishedListener()]  # noqa: RUF012 # Airflow reads a plain class attribute


# The API server alone calls it. It has loaded its plugins before it answers the first request.
setattr(TaskInstance, "register_asset_changes_in_db", staticmethod(register_asset_changes))  # noqa: B010 # mypy refuses an assignment to a method
