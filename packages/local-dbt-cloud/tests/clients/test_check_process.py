"""The process that runs a client's checks."""

from clients.check_process import run_checks
from clients.clients import FOLDER, Client
from test_run_queue import wait_until_dead

from local_airflow.base.install import Environment


CHECK = """
import os
import subprocess


def test_leaves_a_process():
    with open({path!r}, "w") as file:
        sleep = subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL)
        file.write(str(sleep.pid))
"""


def test_what_a_client_leaves_running_is_ended(tmp_path, monkeypatch):
    """A server that a client has started for its checks does not outlive them."""
    folder, pid = tmp_path / "clients", tmp_path / "pid"
    (folder / "checks/any").mkdir(parents=True)
    (folder / "checks/any/leaves.py").write_text(CHECK.format(path=str(pid)))
    for name in ("checks.ini", "in_client"):
        (folder / name).symlink_to(FOLDER / name)
    monkeypatch.setattr("clients.clients.FOLDER", folder)
    monkeypatch.setattr("clients.check_process.FOLDER", folder)
    environment = Environment("dev", lock=tmp_path / "unused")

    report = run_checks(Client("any", ""), environment, {"bundle": ""}, tmp_path)

    assert report.failures == {"leaves.test_leaves_a_process": None}, report.output
    assert wait_until_dead(int(pid.read_text()))
