"""The connection `warehouse`: from `.env`, or from what was started."""

import json

import pytest

from dbt_cloud_api.user_error import UserError
from examples.include.warehouse import warehouse_fields


def test_the_one_that_was_started():
    """Without WAREHOUSE_URL it is the PostgreSQL of this way to run, field by field."""
    fields = warehouse_fields({"LOCAL_WAREHOUSE_URL": "postgresql://me:secret@localhost:5433/db"})

    assert {name: fields[name] for name in ("host", "port", "login", "password", "schema")} == {
        "host": "localhost",
        "port": "5433",
        "login": "me",
        "password": "secret",
        "schema": "db",
    }


def test_your_own_wins():
    """WAREHOUSE_URL wins; signs in the password are decoded, and options go to libpq."""
    fields = warehouse_fields(
        {
            "LOCAL_WAREHOUSE_URL": "postgresql://me:secret@localhost:5433/db",
            "WAREHOUSE_URL": "postgresql://you:p%40ss@db.example.com/sales?sslmode=require",
        }
    )

    assert (fields["host"], fields["port"]) == ("db.example.com", "5432")
    assert fields["password"] == "p@ss"
    assert json.loads(fields["extra"]) == {"sslmode": "require"}


def test_none():
    """With neither there is no connection to write."""
    assert warehouse_fields({}) is None


@pytest.mark.parametrize(
    "wrong", ["localhost", "mysql://me:secret@host/db", "postgresql://host/db", "postgresql://me@/"]
)
def test_refused(wrong):
    """What is no address of a PostgreSQL is refused, and the message does not repeat it."""
    with pytest.raises(UserError, match="WAREHOUSE_URL is not the address") as refused:
        warehouse_fields({"WAREHOUSE_URL": wrong})

    assert "secret" not in str(refused.value)
