"""
A dbt Cloud that only tells the time: run N began at the start, and ends when its turn comes.

It exists to count what waiting costs. Standard input is closed when it shall stop.

    python -m benchmarks.scripted_dbt_cloud <folder of certificates> <seconds a run takes>
"""

import asyncio
import random
import ssl
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web


SPREAD = 0.2
RUNNING, SUCCESS = 3, 10
NAMES = {RUNNING: "Running", SUCCESS: "Success"}


class ScriptedDbtCloud:
    """Every run takes about `seconds`; which run takes how long is the same at every start."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.calls, self.began = seconds, 0, time.time()

    def end_of(self, run_id: int) -> float:
        share = random.Random(run_id).uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311 # not a secret
        return self.began + self.seconds * share

    def run(self, run_id: int) -> dict[str, Any]:
        status = SUCCESS if time.time() >= self.end_of(run_id) else RUNNING
        return {"id": run_id, "status": status, "status_humanized": NAMES[status]}

    async def list_runs(self, request: web.Request) -> web.Response:
        self.calls += 1
        asked = request.query.get("pk__in")
        if asked is None:
            return self.answer([self.past_run()])
        return self.answer([self.run(int(each)) for each in asked.strip("[]").split(",")])

    async def read_run(self, request: web.Request) -> web.Response:
        self.calls += 1
        return self.answer(self.run(int(request.match_info["run_id"])))

    async def begin(self, _request: web.Request) -> web.Response:
        self.calls, self.began = 0, time.time()
        return web.json_response({"began": self.began})

    async def tell(self, request: web.Request) -> web.Response:
        count = int(request.query["runs"])
        ends = {each: self.end_of(each) for each in range(1, count + 1)}
        return web.json_response({"calls": self.calls, "ends": ends})

    def past_run(self) -> dict[str, Any]:
        """One that shows how long the job usually takes."""
        began = datetime.fromtimestamp(self.began, UTC)
        ended = datetime.fromtimestamp(self.began + self.seconds, UTC)
        return {"id": 0, "created_at": str(began), "finished_at": str(ended)}

    def answer(self, data: Any) -> web.Response:
        return web.json_response({"status": {"code": 200, "is_success": True}, "data": data})


async def serve(tls: Path, seconds: float) -> None:
    dbt_cloud = ScriptedDbtCloud(seconds)
    app = web.Application()
    runs = "/api/v2/accounts/1/runs/"
    app.add_routes(
        [
            web.get(runs, dbt_cloud.list_runs),
            web.get(f"{runs}{{run_id}}/", dbt_cloud.read_run),
            web.post("/begin", dbt_cloud.begin),
            web.get("/tell", dbt_cloud.tell),
        ]
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls / "server.pem", tls / "server.key")
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), float(sys.argv[2])))
