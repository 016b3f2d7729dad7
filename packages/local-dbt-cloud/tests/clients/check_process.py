"""Runs the checks of one client, inside its environment, and reads what became of each."""

import contextlib
import json
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from clients.clients import FOLDER, Client

from local_airflow.base.install import Environment


# Far more than it takes; on a machine that does much else, every part takes longer.
SECONDS = 480
SHOWN = 20_000


@dataclass(frozen=True)
class Report:
    """
    What went wrong in each check, by its name; None where nothing did.

    `endpoints` are those that the client has called, and was answered with success.
    """

    failures: dict[str, str | None]
    output: str = ""
    endpoints: frozenset[str] = frozenset()

    def failure(self, check: str) -> str | None:
        return self.failures.get(check, f"it did not run:\n{self.output}")


def run_checks(
    client: Client, environment: Environment, facts: dict[str, Any], folder: Path
) -> Report:
    """One process for all checks of a client: importing the client takes longest."""
    results = folder / "results.xml"
    command = [
        *(environment.folder / "bin/python", "-m", "pytest", "-c", FOLDER / "checks.ini"),
        *("--rootdir", FOLDER, "--basetemp", folder / "temporary", f"--junitxml={results}"),
        *(f"-p{name}" for name in client.plugins),
        *client.check_files,
    ]
    with subprocess.Popen(
        command,
        # Not the repository: what is there would hide packages of the client's.
        cwd=folder,
        env=process_env(environment, facts, folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired as error:
            shown = (error.stdout or b"").decode(errors="replace")[-SHOWN:]
            return Report({}, f"{error}:\n{shown}")
        finally:
            end_group(process.pid)
    return Report(read_results(results) if results.exists() else {}, output[-SHOWN:])


def end_group(leader: int) -> None:
    """End what is left of the checks: Prefect's server has stayed behind when it was slow to go."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def process_env(environment: Environment, facts: dict[str, Any], folder: Path) -> dict[str, str]:
    """As in a terminal of somebody who uses this client, and nothing of who runs the tests."""
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TZ") if name in os.environ}
    return kept | {
        "PATH": f"{environment.folder / 'bin'}:{os.environ['PATH']}",
        "HOME": str(folder),
        "PYTHONPATH": str(FOLDER / "in_client"),
        "REQUESTS_CA_BUNDLE": facts["bundle"],
        "SSL_CERT_FILE": facts["bundle"],
        "SEEDED_DBT_CLOUD": json.dumps(facts),
    }


def read_results(path: Path) -> dict[str, str | None]:
    """A check with parameters has failed when it failed with any; one that was skipped, too."""
    found: dict[str, str | None] = {}
    for case in ET.parse(path).iter("testcase"):  # noqa: S314 - pytest has just written it
        # The class name is checks.<client>.<file>, and a class, if there is one.
        file = case.get("classname", "").split(".")[2]
        name = f"{file}.{case.get('name', '').partition('[')[0]}"
        wrong = [*case.findall("failure"), *case.findall("error"), *case.findall("skipped")]
        text = "\n".join(each.text or each.get("message") or each.tag for each in wrong)
        found[name] = "\n".join(filter(None, [found.get(name), text])) or None
    return found
