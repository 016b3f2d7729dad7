"""What the loader says when it cannot load."""

import socket

import pytest


NOWHERE = {
    "WAREHOUSE_HOST": "127.0.0.1",
    "WAREHOUSE_PORT": "1",
    "WAREHOUSE_USER": "warehouse",
    "WAREHOUSE_PASSWORD": "not-a-secret",
    "WAREHOUSE_DATABASE": "warehouse",
}


def assert_three_parts(completed, problem):
    """Exit code 1, nothing on stdout; the problem, its cause, something to type; no traceback."""
    assert completed.returncode == 1
    assert completed.stdout == ""
    first, _, cause, _, *remedies = completed.stderr.splitlines()
    assert first == f"error: {problem}"
    assert cause.startswith("  ")
    assert remedies
    assert all(remedy.startswith("  → ") for remedy in remedies)


class TestRefusals:
    @pytest.mark.parametrize("month", ["2013-13", "2014-01", "2013-1", "january", "../2013-01"])
    def test_a_month_that_is_not_shipped(self, ingestion, month):
        """Only the twelve months of 2013, written 2013-01, can be loaded."""
        completed = ingestion("load", "--month", month, variables=NOWHERE)

        assert_three_parts(completed, f"no flights for month {month!r}")
        assert "2013-01 to 2013-12" in completed.stderr

    @pytest.mark.parametrize("name", NOWHERE)
    def test_a_variable_that_is_missing(self, ingestion, name):
        """Each WAREHOUSE_* variable is needed, and the message names the missing one."""
        variables = {key: value for key, value in NOWHERE.items() if key != name}

        completed = ingestion("load", "--month", "2013-01", variables=variables)

        assert_three_parts(completed, f"{name} not set")

    def test_a_warehouse_that_does_not_run(self, ingestion):
        """The message names the place and keeps the machine's own words, not the password."""
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can answer there
            port = str(closed.getsockname()[1])
            completed = ingestion(
                "load", "--month", "2013-01", variables=NOWHERE | {"WAREHOUSE_PORT": port}
            )

        assert_three_parts(
            completed, f"cannot connect to the warehouse at 127.0.0.1:{port}/warehouse"
        )
        assert "Connection refused" in completed.stderr
        assert "not-a-secret" not in completed.stderr

    def test_a_port_that_is_no_number(self, ingestion):
        """A wrong value is an error of three parts too."""
        completed = ingestion(
            "load", "--month", "2013-01", variables=NOWHERE | {"WAREHOUSE_PORT": "five"}
        )

        assert_three_parts(completed, "cannot connect to the warehouse at 127.0.0.1:five/warehouse")

    def test_a_wrong_password(self, ingestion, warehouse):
        """PostgreSQL's own words say that it is the password."""
        variables = warehouse.environment() | {"WAREHOUSE_PASSWORD": "not-the-password"}

        completed = ingestion("load", "--month", "2013-01", variables=variables)

        assert_three_parts(
            completed,
            f"cannot connect to the warehouse at 127.0.0.1:{warehouse.port}/warehouse",
        )
        assert "password authentication failed" in completed.stderr

    @pytest.mark.parametrize("arguments", [[], ["load"], ["load", "--all", "--month", "2013-01"]])
    def test_a_command_line_that_says_too_little_or_too_much(self, ingestion, arguments):
        """It is refused with the usage and exit code 2, before anything is connected to."""
        completed = ingestion(*arguments, variables=NOWHERE)

        assert completed.returncode == 2
        assert completed.stderr.startswith("usage: python -m examples.loader")
