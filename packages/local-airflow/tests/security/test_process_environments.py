"""What opens something is in the environment of no process, which hands it on."""

from contextlib import suppress
from pathlib import Path

import pytest
from security.planted import PLANTED


SECRET_SETTINGS = ("token", "slack token", "signature in a query", "warehouse password")


@pytest.fixture(scope="module")
def environments(searched):
    """The environment of every process of the stack, by its command line."""
    found = {}
    for pid, command in searched.stack.processes().items():
        # One that has ended meanwhile knows nothing any more.
        with suppress(OSError):
            found[f"{pid} {command}"] = Path(f"/proc/{pid}/environ").read_bytes()
    assert len(found) > 5
    return found


@pytest.mark.parametrize("place", SECRET_SETTINGS)
def test_secret_setting_is_in_no_process(environments, place):
    """The token, the addresses and the warehouse's login are read from `.env` where needed."""
    secret = PLANTED[place].encode()

    assert [name for name, each in environments.items() if secret in each] == []


def test_connection_has_the_token_all_the_same(searched, account):
    """Airflow calls dbt Cloud with it."""
    connection = searched.stack.make("doctor", "--format", "json").stdout

    assert "as .env says" in connection
