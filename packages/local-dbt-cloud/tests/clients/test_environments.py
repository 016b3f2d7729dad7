"""Building a client's environment: with which Python, and what is said when it cannot be."""

import sys

import pytest
from clients.clients import CLIENTS, Client, read_checks
from clients.environments import choose_python, install_client, runs

from dbt_cloud_api.user_error import UserError


def test_not_installable_is_named(tmp_path, monkeypatch):
    """A client that cannot be installed is named, with the reason, and nothing is left behind."""
    monkeypatch.setattr("clients.clients.FOLDER", tmp_path)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/impossible.lock").write_text("")

    with pytest.raises(UserError, match="the client impossible cannot be installed") as caught:
        install_client(Client("impossible", "", python="3.99", python_below="3.100"))

    assert "3.99" in caught.value.cause


def test_python_of_the_tests_where_it_will_do():
    """A client gets the Python that runs the tests unless it needs a newer one."""
    assert choose_python(Client("any", "")) == sys.executable


def test_a_name_is_no_python(tmp_path):
    """A program that is only called Python is passed over."""
    program = tmp_path / "python3.13"
    program.write_text("#!/bin/sh\nexit 127\n")
    program.chmod(0o755)

    assert not runs(str(program))
    assert runs(sys.executable)


def test_every_client_has_checks_that_state_what_they_check():
    """No client is declared without checks, and none of its checks is silent."""
    assert {client.title for client in CLIENTS if not client.checks} == set()
    assert {name for client in CLIENTS for name, text in client.checks.items() if not text} == set()


def test_two_checks_of_one_name_are_refused(tmp_path):
    """Each check has a result of its own, so that names in a file differ."""
    path = tmp_path / "twice.py"
    path.write_text(
        "def test_a():\n    pass\n\n\nclass TestB:\n    def test_a(self):\n        pass\n"
    )

    with pytest.raises(ValueError, match="two checks called test_a"):
        read_checks(path)
