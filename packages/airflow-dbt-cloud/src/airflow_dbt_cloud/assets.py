"""
An Airflow asset for every dbt model, so that a DAG starts when its table is new.

    with DAG("report", schedule=model_asset("flights", "daily_delays_by_carrier")):
"""

from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias

from dbt_cloud_api.built_models import BuiltModel


if TYPE_CHECKING:
    from airflow.sdk import Context

# A task must say before it runs what it may publish; which models these are, dbt says afterwards.
MODELS = AssetAlias("dbt_cloud_models")


def model_asset(project: str, model: str) -> Asset:
    """Give the asset of a model (seed, snapshot) of a dbt project."""
    return Asset(name=f"{project}.{model}", uri=f"dbt://{project}/{model}", group="dbt")


def publish(context: "Context", models: list[BuiltModel], run: dict[str, Any]) -> int:
    """Add an event for each model, and count them; Airflow publishes them as the task succeeds."""
    events = context["outlet_events"][MODELS]
    for model in models:
        extra = {**model.facts(), "dbt_cloud_run_id": run["id"], "link": run["href"]}
        events.add(model_asset(model.project, model.name), extra=extra)
    return len(models)
