"""A proxy that the user's network needs knows nothing of this machine's own ports."""

from collections.abc import MutableMapping

from dbt_cloud_api.client import THIS_MACHINE


def keep_local_calls_away(process_environment: MutableMapping[str, str]) -> None:
    """
    Let this process, and all that it starts, reach this machine directly.

    Otherwise tasks would look for Airflow's API and for the local dbt Cloud beyond the proxy.
    """
    named = process_environment.get("no_proxy") or process_environment.get("NO_PROXY") or ""
    names = [each.strip() for each in named.split(",") if each.strip()]
    around = ",".join(dict.fromkeys([*names, *THIS_MACHINE]))
    process_environment.update(no_proxy=around, NO_PROXY=around)
