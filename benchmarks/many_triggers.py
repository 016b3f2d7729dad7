"""Two hundred triggers at once on four slots: every one gets its run, and every run ends well."""

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.own_servers import (
    ACCOUNT,
    FIRST_JOB,
    NO_WAREHOUSE,
    Client,
    own_dbt_cloud,
    write_cheap_jobs,
)
from benchmarks.processes import memory_below
from local_dbt_cloud.testing.throwaway_server import ThrowawayServer


TRIGGERS = 200
CLIENTS = 10
JOBS = 20
SLOTS = 4
SECONDS_TO_WAIT = 300
# Until dbt is loaded.
SECONDS_TO_SETTLE = 8
API = f"/api/v2/accounts/{ACCOUNT}"


@dataclass(frozen=True, slots=True)
class ManyTriggers:
    """`most_at_once`: runs in progress at the same moment, of which there may be `SLOTS`."""

    seconds_until_accepted: float
    seconds_until_ended: float
    most_at_once: int
    server_megabytes: float
    dbt_megabytes: float


def measure_many_triggers() -> ManyTriggers:
    """With real dbt, in its cheapest command; stop when a run is lost or not successful."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        jobs = write_cheap_jobs(Path(folder), JOBS, SLOTS)
        with own_dbt_cloud(jobs, NO_WAREHOUSE) as server:
            time.sleep(SECONDS_TO_SETTLE)
            memory = memory_below(server.process.pid)
            began = time.monotonic()
            with ThreadPoolExecutor(CLIENTS) as pool:
                parts = pool.map(lambda first: trigger_some(server, first), range(CLIENTS))
                accepted = {run_id for part in parts for run_id in part}
            after = time.monotonic() - began
            most = wait_for_all(server, len(accepted))
            ended = time.monotonic() - began
            return ManyTriggers(after, ended, most, memory[0], sum(memory[1:]))


def trigger_some(server: ThrowawayServer, first: int) -> list[int]:
    """One client's part of the triggers, one after the other; the ids of the runs."""
    client, ids = Client(server), []
    for number in range(first, TRIGGERS, CLIENTS):
        path = f"{API}/jobs/{FIRST_JOB + number % JOBS}/run/"
        ids.append(client.post(path, {"cause": f"trigger {number}"})["data"]["id"])
    return ids


def wait_for_all(server: ThrowawayServer, expected: int) -> int:
    if expected != TRIGGERS:
        raise SystemExit(f"{TRIGGERS} triggers gave only {expected} runs")
    client, most = Client(server), 0
    deadline = time.monotonic() + SECONDS_TO_WAIT
    while time.monotonic() < deadline:
        most = max(most, count(client, "[2, 3]"))
        if count(client, "[1, 2, 3]") == 0:
            break
        time.sleep(0.1)
    successful = count(client, "[10]")
    if successful != TRIGGERS:
        raise SystemExit(f"of {TRIGGERS} runs only {successful} were successful")
    return most


def count(client: Client, statuses: str) -> int:
    path = f"{API}/runs/?limit=1&status__in={statuses.replace(' ', '')}"
    total: int = client.get(path)["extra"]["pagination"]["total_count"]
    return total
