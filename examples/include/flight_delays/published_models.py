"""Publish: keep metrics and chart of every month in the warehouse, where everybody can see them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.errors import UndefinedTable
from psycopg.types.json import Jsonb


CREATE = """
    create schema if not exists ml;
    create table if not exists ml.delay_models (
        month text primary key,
        trained_at timestamptz not null default now(),
        metrics jsonb not null,
        chart text not null
    )
"""
WRITE = """
    insert into ml.delay_models (month, metrics, chart) values (%s, %s, %s)
    on conflict (month) do update
    set metrics = excluded.metrics, chart = excluded.chart, trained_at = now()
"""
READ = "select month, trained_at, metrics, chart from ml.delay_models order by month desc"


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """The model of one month; `chart` is an SVG picture."""

    month: str
    trained_at: datetime
    metrics: dict[str, Any]
    chart: str


def publish_model(warehouse: Connection, metrics: dict[str, Any], chart: str) -> None:
    """Keep the newest model of a month."""
    with warehouse.transaction():
        # Two months may be published at the same time, and both may be the first.
        warehouse.execute("select pg_advisory_xact_lock(hashtext('ml.delay_models'))")
        warehouse.execute(CREATE)
        warehouse.execute(WRITE, [metrics["month"], Jsonb(metrics), chart])


def published(warehouse: Connection) -> list[PublishedModel]:
    """List what was published, the newest month first."""
    try:
        return [PublishedModel(*row) for row in warehouse.execute(READ)]
    except UndefinedTable:
        return []
