"""How many polls of runs the local dbt Cloud answers, and how fast, with many runs behind it."""

import sqlite3
import tempfile
import threading
import time
from contextlib import closing
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
from local_dbt_cloud.testing.throwaway_server import ThrowawayServer


RUNS = 10_000
CLIENTS = 4
SECONDS_OF_POLLING = 5.0
AT_ONCE = 100
API = f"/api/v2/accounts/{ACCOUNT}"


@dataclass(frozen=True, slots=True)
class Polls:
    what: str
    requests_per_second: float
    median_milliseconds: float
    p99_milliseconds: float


def measure_polls() -> list[Polls]:
    """One run in progress, and the newest hundred runs in one request."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        jobs = write_cheap_jobs(Path(folder), count=2, slots=2)
        with own_dbt_cloud(jobs, NO_WAREHOUSE) as server:
            fill_store(server, finish_one(server, FIRST_JOB))
            server.ask("POST", "/_local/pace/", {"hold": "running"})
            body = {"cause": "a run in progress"}
            run = server.ask("POST", f"{API}/jobs/{FIRST_JOB + 1}/run/", body)["data"]["id"]
            ids = ",".join(str(run - number) for number in range(AT_ONCE))
            return [
                poll(server, "a run in progress", f"{API}/runs/{run}/"),
                poll(server, f"{AT_ONCE} runs at once", f"{API}/runs/?pk__in=[{ids}]"),
            ]


def finish_one(server: ThrowawayServer, job_id: int) -> int:
    run = server.ask("POST", f"{API}/jobs/{job_id}/run/", {"cause": "a benchmark"})["data"]
    run_id: int = run["id"]
    while not server.ask("GET", f"{API}/runs/{run_id}/")["data"]["is_complete"]:
        time.sleep(0.05)
    return run_id


def fill_store(server: ThrowawayServer, run_id: int) -> None:
    """Repeat the one run that is there, with all its columns."""
    with closing(sqlite3.connect(server.folder / "state/dbt_cloud.sqlite")) as store:
        names = [row[1] for row in store.execute("pragma table_info(runs)") if row[1] != "id"]
        columns = ", ".join(names)
        numbers = "with recursive n(i) as (select 2 union all select i + 1 from n where i < ?)"
        copy = f"insert into runs ({columns}) {numbers} select {columns} from runs, n where id = ?"  # noqa: S608 - the names come from the table itself
        store.execute(copy, (RUNS, run_id))
        store.commit()


def poll(server: ThrowawayServer, what: str, path: str) -> Polls:
    seconds: list[float] = []
    until = time.monotonic() + SECONDS_OF_POLLING

    def keep_asking() -> None:
        client = Client(server)
        while time.monotonic() < until:
            began = time.perf_counter()
            client.get(path)
            seconds.append(time.perf_counter() - began)

    threads = [threading.Thread(target=keep_asking) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds.sort()
    return Polls(
        what,
        len(seconds) / SECONDS_OF_POLLING,
        seconds[len(seconds) // 2] * 1000,
        seconds[int(len(seconds) * 0.99)] * 1000,
    )
