"""
Wait for many runs at once, as a triggerer does: on one event loop, a trigger for each.

    python -m benchmarks.waiting_triggers ours|provider <runs> <longest pause> <address>

Prints the calls that dbt Cloud got, and for each run the seconds from its end to its event.
"""

import asyncio
import json
import logging
import sys
import time

import aiohttp
from airflow.providers.dbt.cloud.triggers.dbt import DbtCloudRunJobTrigger
from airflow.triggers.base import BaseTrigger

from airflow_dbt_cloud.waiting.trigger import DbtCloudRunTrigger


CONNECTION, ACCOUNT, JOB = "dbt_cloud_default", 1, 1
SECONDS_TO_WAIT = 300


def trigger(kind: str, run_id: int, pause: float, began: float) -> BaseTrigger:
    if kind == "provider":
        return DbtCloudRunJobTrigger(
            CONNECTION, run_id, began + SECONDS_TO_WAIT, pause, ACCOUNT, {"timeout_seconds": 30}
        )
    return DbtCloudRunTrigger(
        conn_id=CONNECTION,
        account_id=ACCOUNT,
        job_id=JOB,
        run_id=run_id,
        created_at=began,
        end_time=began + SECONDS_TO_WAIT,
        execution_deadline=None,
        check_interval=pause,
    )


async def wait(waiting: BaseTrigger) -> float:
    async for event in waiting.run():
        if event.payload["status"] not in {"ended", "success"}:
            raise SystemExit(f"a run was not waited for: {event.payload}")
    return time.time()


async def measure(kind: str, runs: int, pause: float, address: str) -> dict[str, object]:
    async with aiohttp.ClientSession(address) as session:
        async with session.post("/begin") as answer:
            began = (await answer.json())["began"]
        waits = [wait(trigger(kind, run_id, pause, began)) for run_id in range(1, runs + 1)]
        seen = await asyncio.gather(*waits)
        async with session.get("/tell", params={"runs": str(runs)}) as answer:
            told = await answer.json()
    ends = told["ends"].values()
    return {"calls": told["calls"], "late": [at - end for at, end in zip(seen, ends, strict=True)]}


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    what, count, longest, url = sys.argv[1:]
    print(json.dumps(asyncio.run(measure(what, int(count), float(longest), url))))
