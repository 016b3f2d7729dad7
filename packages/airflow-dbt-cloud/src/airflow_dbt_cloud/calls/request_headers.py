"""What every request to dbt Cloud carries."""

from functools import cache
from importlib.metadata import version


PROVIDER = "apache-airflow-providers-dbt-cloud"


def request_headers(token: str) -> dict[str, str]:
    """Give the headers that the provider sends as well, by which dbt Cloud knows Airflow."""
    return {
        "Authorization": f"Token {token}",
        "Content-Type": "application/json",
        "User-Agent": _user_agent(),
    }


@cache
def _user_agent() -> str:
    # The provider asks Airflow's ProvidersManager, which loads every provider for it.
    return f"{PROVIDER}-v{version(PROVIDER)}"
