"""The calls of the Administrative API v2 that a task makes about its runs, one method each."""

import json
from collections.abc import Iterator
from typing import Any, Protocol

from dbt_cloud_api.plain_text import printable_json


Run = dict[str, Any]
PAGE = 100


class RunsApi(Protocol):
    """
    One account. Everything raises `DbtCloudApiError`, and nothing else.

    `seconds_ahead` is how far dbt Cloud's clock is ahead of ours, by its last answer.
    """

    @property
    def seconds_ahead(self) -> float: ...
    def run(self, run_id: int, *related: str) -> Run: ...
    def newest_runs(self, offset: int, **filters: Any) -> list[Run]: ...
    def trigger(self, job_id: int, body: dict[str, Any]) -> Run: ...
    def retry(self, run_id: int) -> Run: ...
    def cancel(self, run_id: int) -> Run: ...


class HookRunsApi:
    """
    The calls, through the provider's hook.

    `runs/{id}/retry/` and not the provider's `jobs/{id}/rerun/`: that one takes whatever run of the
    job is the latest, and starts a new one, without a word, when it has not failed.
    """

    def __init__(self, hook: Any, account_id: int | None) -> None:
        self.hook, self.account_id = hook, account_id

    @property
    def seconds_ahead(self) -> float:
        return float(self.hook.seconds_ahead)

    def run(self, run_id: int, *related: str) -> Run:
        return self._run("GET", f"runs/{run_id}/", _related(related))

    def newest_runs(self, offset: int = 0, **filters: Any) -> list[Run]:
        query = {"order_by": "-id", "limit": PAGE, "offset": offset, **filters}
        runs: list[Run] = self._call("GET", "runs/", query)
        return runs

    def trigger(self, job_id: int, body: dict[str, Any]) -> Run:
        return self._run("POST", f"jobs/{job_id}/run/", json.dumps(body))

    def retry(self, run_id: int) -> Run:
        return self._run("POST", f"runs/{run_id}/retry/", None)

    def cancel(self, run_id: int) -> Run:
        return self._run("POST", f"runs/{run_id}/cancel/", None)

    def _run(self, method: str, path: str, payload: Any) -> Run:
        run: Run = self._call(method, path, payload)
        return run

    def _call(self, method: str, path: str, payload: Any) -> Any:
        account = self.account_id or self.hook._resolve_account_id()  # noqa: SLF001 # no public way
        answer = self.hook._run_and_get_response(  # noqa: SLF001 # the provider has no public call for all of these
            method=method, endpoint=f"{account}/{path}", payload=payload
        )
        return printable_json(answer.json()["data"])


def newest_first(api: RunsApi, job_id: int) -> Iterator[Run]:
    """Give a job's runs with their triggers, the newest first; whoever stops asks no further."""
    offset = 0
    while True:
        runs = api.newest_runs(offset, job_definition_id=job_id, include_related="trigger")
        yield from runs
        if len(runs) < PAGE:
            return
        offset += len(runs)


def cause_in(run: Run) -> str:
    """Read why a run was started; nothing, where it was asked for without its trigger."""
    return (run.get("trigger") or {}).get("cause") or ""


def _related(names: tuple[str, ...]) -> dict[str, str] | None:
    return {"include_related": ",".join(names)} if names else None
