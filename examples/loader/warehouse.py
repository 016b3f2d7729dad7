"""Connects to the warehouse that the process environment names."""

import os

import psycopg
from psycopg.conninfo import make_conninfo

from dbt_cloud_api.user_error import UserError


VARIABLES = {
    "WAREHOUSE_HOST": "host",
    "WAREHOUSE_PORT": "port",
    "WAREHOUSE_USER": "user",
    "WAREHOUSE_PASSWORD": "password",
    "WAREHOUSE_DATABASE": "dbname",
}


def connect() -> psycopg.Connection:
    """
    A connection in which each statement outside `transaction()` commits by itself.

    Raises UserError when a WAREHOUSE_* variable is missing or the server refuses.
    """
    parameters = _parameters()
    try:
        return psycopg.connect(
            make_conninfo(**parameters),
            autocommit=True,
            connect_timeout=5,
            application_name="loader",
        )
    except psycopg.Error as error:
        raise _unreachable(parameters, error) from error


def _parameters() -> dict[str, str]:
    missing = [name for name in VARIABLES if not os.environ.get(name)]
    if missing:
        raise UserError(
            f"{', '.join(missing)} not set",
            "Where the warehouse is stands in the process environment; `make up` puts it there.",
            ("Start everything, flights included:   make up",),
        )
    return {parameter: os.environ[name] for name, parameter in VARIABLES.items()}


def _unreachable(parameters: dict[str, str], error: psycopg.Error) -> UserError:
    place = "{host}:{port}/{dbname}".format(**parameters)
    words = " ".join(str(error).split())
    return UserError(
        f"cannot connect to the warehouse at {place}",
        f"WAREHOUSE_HOST and its companions point there; the answer was: {words}",
        ("Start it:   make up",),
    )
