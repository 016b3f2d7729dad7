"""A clone of this repository, used as somebody would who has just made it."""

import json
import os
import re
import secrets
import subprocess
import sys
import time
from pathlib import Path

from repository_copy import copy_repository, launcher_path

from local_airflow.stack.airflow_api import AirflowApi, AirflowApiError
from local_dbt_cloud.testing.throwaway_server import free_port


PORTS = ("AIRFLOW_PORT", "LOCAL_DBT_CLOUD_PORT", "POSTGRES_PORT")
SOCKET = Path("/var/run/docker.sock")
# Whoever runs these tests as root uses the clone as an ordinary user, as people do.
SOMEBODY = 12345
# An ordinary user cannot look into root's home, where this Python may be.
PYTHON = "/usr/bin/python3" if os.geteuid() == 0 else sys.executable


class Clone:
    def __init__(self, folder, **settings):
        self.folder = folder
        self.settings = {name: free_port() for name in PORTS} | settings
        self.home = folder.with_name(f"home-of-{folder.name}")
        self.home.mkdir()
        copy_repository(folder)
        self.own()
        self.write_settings()

    def own(self):
        """Give every file of the clone to the user who works in it."""
        if os.geteuid() == 0:
            for path in (self.home, self.folder, *self.folder.rglob("*")):
                os.chown(path, SOMEBODY, SOMEBODY)

    @property
    def project(self):
        return self.folder.name

    def write_settings(self, *lines, **settings):
        merged = {"MODE": "docker", **self.settings, **settings}
        text = "".join(f"{name}={value}\n" for name, value in merged.items())
        (self.folder / ".env").write_text(text + "".join(f"{line}\n" for line in lines))
        (self.folder / ".env").chmod(0o600)
        self.own()

    def make(self, *arguments, stdin="", seconds=560):
        """Run what a make target runs; make itself would only be in the way of a time limit."""
        return self.call(PYTHON, "-m", "local_airflow", *arguments, stdin=stdin, seconds=seconds)

    def call(self, *command, stdin="", seconds=560, **environment):
        return subprocess.run(
            command,
            **self.options(environment),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )

    def begin(self, *arguments):
        """Start a command and leave it to itself."""
        return subprocess.Popen(
            [PYTHON, "-m", "local_airflow", *arguments],
            **self.options({}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def options(self, environment):
        kept = {key: os.environ[key] for key in ("PATH", "DOCKER_HOST") if key in os.environ}
        somebody = {}
        if os.geteuid() == 0:
            group = SOCKET.stat().st_gid if SOCKET.exists() else SOMEBODY
            somebody = {"user": SOMEBODY, "group": SOMEBODY, "extra_groups": [group]}
        return {
            "cwd": self.folder,
            "env": {
                **kept,
                "HOME": str(self.home),
                "PYTHONPATH": launcher_path(self.folder),
                **environment,
            },
            **somebody,
        }

    def compose(self, *arguments, **environment):
        return self.call("docker", "compose", *arguments, **environment)

    def remove(self):
        files = [
            "-f",
            "docker-compose.yaml",
            "-f",
            "examples/compose.yaml",
            "-f",
            "compose.celery.yaml",
        ]
        self.compose(*files, "down", "--volumes", "--remove-orphans", "--timeout", "5")
        # Not --rmi all: it would take postgres:17 from whoever else uses this engine.
        built = ("airflow", "airflow-celery", "local-dbt-cloud")
        self.call("docker", "image", "rm", *(f"{self.project}-{name}" for name in built))

    def password(self):
        answer = self.compose("exec", "-T", "api-server", "cat", "passwords.json")
        return json.loads(answer.stdout)["admin"]

    def api(self):
        url = f"http://127.0.0.1:{self.settings['AIRFLOW_PORT']}"
        return AirflowApi(url, "admin", self.password())


def knows(api, path):
    try:
        api.get(path)
    except AirflowApiError as error:
        if error.status == 404:
            return False
        raise
    return True


def health(container):
    container.reload()
    return container.attrs["State"].get("Health", {}).get("Status")


def wait_until(fact, seconds, what):
    """Give the first answer of `fact` that is true; fail with `what` when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := fact()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.2)
    return answer


def new_name(what):
    return f"{re.sub('[^a-z]', '', what)}-{secrets.token_hex(3)}"
