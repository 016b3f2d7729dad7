"""What Airflow knows a dbt model by."""

from airflow_dbt_cloud.assets import model_asset


def test_asset_of_a_model():
    """A DAG that waits for a model names it as dbt does."""
    asset = model_asset("flights", "monthly")

    assert (asset.name, asset.uri) == ("flights.monthly", "dbt://flights/monthly")
