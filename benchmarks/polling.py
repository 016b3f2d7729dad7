"""
What waiting for dbt Cloud costs: our trigger beside the provider's, for ever more runs at once.

The triggers are the real ones, on an event loop of their own, over TLS; dbt Cloud is a script
(`scripted_dbt_cloud.py`). Measured is the trigger's part: from the end of a run to the event that
wakes the task. Airflow's own part comes on top, and is the same for both.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


AT_ONCE = (1, 10, 100, 500)
SECONDS_OF_A_RUN = 10.0
# Ours at its default. The provider's default, 60, would see the end of such a run a minute late.
LONGEST_PAUSES = {"ours": (10.0,), "provider": (10.0, 1.0)}
# More requests a second than this would only show the measuring process at its limit.
MOST_A_SECOND = 100
CERTIFICATES = [".local/local-dbt-cloud/bin/python", "-m", "local_dbt_cloud", "certificates"]


@dataclass(frozen=True, slots=True)
class Cost:
    """Of waiting for a number of runs: all calls, and how late the ends were seen, in seconds."""

    runs: int
    calls: int
    late: list[float]

    def row(self) -> str:
        return (
            f"{self.calls / self.runs:8.2f} calls a run, "
            f"{statistics.median(self.late):6.2f} s late (at most {max(self.late):.2f} s)"
        )


def polling_costs(kind: str, pause: float, at_once: tuple[int, ...] = AT_ONCE) -> Iterator[Cost]:
    """Measure one kind of trigger, `ours` or `provider`, with its longest pause."""
    with scripted_dbt_cloud() as (address, process_env):
        for runs in at_once:
            arguments = [kind, str(runs), str(pause), address]
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.waiting_triggers", *arguments],
                env=process_env,
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            )
            told = json.loads(done.stdout.splitlines()[-1])
            yield Cost(runs, told["calls"], told["late"])


@contextlib.contextmanager
def scripted_dbt_cloud() -> Iterator[tuple[str, dict[str, str]]]:
    """Start it; give its address, and the process environment of who shall wait for its runs."""
    with tempfile.TemporaryDirectory() as folder:
        tls = Path(folder)
        subprocess.run(
            CERTIFICATES,
            env={**os.environ, "LOCAL_DBT_CLOUD_TLS": folder},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        server = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.scripted_dbt_cloud", folder, str(SECONDS_OF_A_RUN)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with server:
            port = server.stdout.readline().strip() if server.stdout else ""
            connection = {"conn_type": "dbt_cloud", "host": f"localhost:{port}", "login": "1"}
            yield (
                f"https://localhost:{port}",
                {
                    **os.environ,
                    "AIRFLOW_CONN_DBT_CLOUD_DEFAULT": json.dumps({**connection, "password": "t"}),
                    "SSL_CERT_FILE": str(tls / "bundle.pem"),
                    "PYTHONWARNINGS": "ignore",
                },
            )


def show_polling_costs(at_once: tuple[int, ...] = AT_ONCE) -> None:
    print(f"\nwaiting in one triggerer for runs of about {SECONDS_OF_A_RUN:.0f} s")
    for kind, pauses in LONGEST_PAUSES.items():
        for pause in pauses:
            bearable = tuple(runs for runs in at_once if runs / pause <= MOST_A_SECOND)
            for cost in polling_costs(kind, pause, bearable):
                name = f"{kind}, {pause:.0f} s"
                print(f"    {cost.runs:>4} at once, {name:<14} {cost.row()}", flush=True)


if __name__ == "__main__":
    show_polling_costs()
