"""A stack of its own beside whatever else runs on this machine, through the real commands."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
from repository_copy import ROOT, launcher_path

from local_dbt_cloud.testing.throwaway_server import free_port


# Proxies that nothing local may ask, and what libraries would obey without being asked.
UNASKED = {
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "ALL_PROXY": "socks5://127.0.0.1:9",
    "AIRFLOW__CORE__EXECUTOR": "NoSuchExecutor",
    "AIRFLOW_HOME": "/nowhere",
    "DBT_PROFILES_DIR": "/nowhere",
    "PGHOSTADDR": "192.0.2.1",
    "PGSSLMODE": "require",
    "WAREHOUSE_HOST": "192.0.2.1",
}


def wait_for(fact, seconds=180):
    """Ask until it is so."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, f"it is not so after {seconds} s"
        time.sleep(0.2)


class Stack:
    """`root` is the repository that it is started from: this one, or a copy."""

    def __init__(self, folder, root=ROOT):
        self.root = root
        self.state, self.env_file = folder / "st ate", folder / ".env"
        names = ("AIRFLOW_PORT", "LOCAL_DBT_CLOUD_PORT", "POSTGRES_PORT")
        self.ports = {name: free_port() for name in names}
        self.write()

    def write(self, *lines, **ports):
        settings = {"MODE": "native", **self.ports, **ports}
        text = "".join(f"{name}={value}\n" for name, value in settings.items())
        self.env_file.write_text(text + "".join(f"{line}\n" for line in lines))

    def make(self, *arguments, stdin=None, **more):
        """Run a command; `more` is added to its process environment."""
        return subprocess.run(
            [sys.executable, "-m", "local_airflow", *arguments],
            cwd=self.root,
            env=self.process_environment(**more),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def process_environment(self, **more):
        """What tells a command which stack is meant; and what a shell may bring that harms it."""
        return {
            **{key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ},
            "PYTHONPATH": launcher_path(self.root),
            "LOCAL_STATE": str(self.state),
            "LOCAL_ENV_FILE": str(self.env_file),
            **UNASKED,
            **more,
        }

    def processes(self):
        """Map the id of each living process of this stack to its command line."""
        mark, found = f"LOCAL_AIRFLOW_STATE={self.state}".encode(), {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    command = (process / "cmdline").read_bytes()
                    found[int(process.name)] = command.replace(b"\0", b" ").decode()
            except OSError:
                continue
        return {pid: command for pid, command in found.items() if command}

    @property
    def airflow_url(self):
        return f"http://localhost:{self.ports['AIRFLOW_PORT']}"

    @property
    def admin_password(self):
        return (self.state / "secrets/admin_password").read_text().strip()

    def airflow_database(self, *, autocommit=True):
        """Log in to it: what happened stands there also when the API server is what is broken."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.ports["POSTGRES_PORT"],
            user="airflow",
            password=(self.state / "secrets/airflow_database_password").read_text().strip(),
            dbname="airflow",
            autocommit=autocommit,
        )

    def secrets(self):
        return [file.read_text() for file in (self.state / "secrets").iterdir()]

    def scheduler(self):
        rows = [line.split() for line in self.make("status").stdout.splitlines()]
        return next((row for row in rows if row[:2] == ["scheduler", "running"]), None)
