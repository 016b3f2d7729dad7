"""The steps, in the order in which they build on each other: name, TLS, token, …, trigger."""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

from dbt_cloud_api.client import NOT_FOUND, Answer
from dbt_cloud_api.preflight.check import Check, Level, PreflightError, error, ok, warning
from dbt_cloud_api.preflight.client import PreflightClient
from dbt_cloud_api.preflight.job import check_job, may_be_triggered
from dbt_cloud_api.preflight.refusals import ADMIN, missing, refusal
from dbt_cloud_api.preflight.route import Route
from dbt_cloud_api.preflight.tls import connect, resolve, start_tls


STEPS = (
    *("name", "connection", "TLS", "token", "account", "project", "environment"),
    *("job", "commands", "schedule", "trigger", "clock"),
)
CLOCK_TOLERANCE = 60
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Target:
    """Which job is to be run. `project_id` is None where `.env` does not say it."""

    account_id: int
    job_id: int
    token: str = field(repr=False)
    project_id: int | None = None


def check_target(target: Target, route: Route) -> list[Check]:
    """Take every step that can be taken; what builds on a failed one is skipped."""
    steps = _Steps(target, route)
    checks: list[Check] = []
    try:
        checks.extend(_collect(steps.take(), checks))
    except PreflightError as failed:
        checks.append(failed.check)
    done = {check.name for check in checks}
    left = [name for name in STEPS if name not in done]
    skipped = [Check(name, Level.SKIPPED, "not checked: a step before it failed") for name in left]
    order = {name: place for place, name in enumerate(("proxy", *STEPS))}
    return sorted([*checks, *skipped], key=lambda check: order.get(check.name, 0))


def _collect(steps: Iterator[Check], into: list[Check]) -> list[Check]:
    for check in steps:
        into.append(check)  # noqa: PERF402 # what was found before an error must be kept
    return []


@dataclass(slots=True)
class _Steps:
    target: Target
    route: Route

    def take(self) -> Iterator[Check]:
        yield self._name()
        yield from self._way()
        client = PreflightClient(self.route, self.target.token, self.target.account_id)
        answer = client.of_account("v2", "")
        yield self._clock(answer.headers.get("Date", ""))
        yield from self._account(client, answer)
        job = client.of_account("v2", f"jobs/{self.target.job_id}/")
        yield from self._project(client, job)
        yield from check_job(self._job(client, job))
        yield may_be_triggered(client, self.target.job_id)

    def _name(self) -> Check:
        address = resolve(self.route)
        if self.route.proxy:
            return ok("name", f"left to the proxy {self.route.proxy.host}, {address}")
        return ok("name", f"{self.route.host} is {address}")

    def _way(self) -> Iterator[Check]:
        opened = connect(self.route)
        through = f" through the proxy {self.route.proxy.host}" if self.route.proxy else ""
        yield ok("connection", f"{self.route.shown} answers{through}")
        with start_tls(opened, self.route) as trusted:
            version = trusted.version()
        by = f"by {self.route.ca_variable or 'the system'}"
        by += " or EXTRA_CA_FILE" if self.route.extra_ca_file else ""
        yield ok("TLS", f"{version}, the certificate is trusted {by}")

    def _clock(self, date: str) -> Check:
        with suppress(ValueError, TypeError):
            off = round(time.time() - parsedate_to_datetime(date).timestamp())
            if abs(off) <= CLOCK_TOLERANCE:
                return ok("clock", "agrees with dbt Cloud's")
            word = "ahead of" if off > 0 else "behind"
            return warning(
                "clock",
                f"this machine's clock is {abs(off)} s {word} dbt Cloud's",
                "Airflow's tokens and the times of runs depend on it.",
                "Switch on time synchronisation:   timedatectl set-ntp true",
            )
        return ok("clock", "dbt Cloud sent no time to compare with")

    def _account(self, client: PreflightClient, answer: Answer) -> Iterator[Check]:
        refused = refusal("token", answer, self.route.shown)
        if refused and answer.status != 403:  # noqa: PLR2004 # HTTP's own number
            raise refused
        yield self._token()
        number = self.target.account_id
        if refused:
            refused.check = _renamed(refused.check, "account", _other_accounts(client, number))
            raise refused
        if answer.status == NOT_FOUND:
            raise missing("account", f"there is no account {number}", answer, "make setup")
        account = _dictionary(answer.data)
        if account.get("locked"):
            raise error(
                "account",
                f"the account {account.get('name')} is locked",
                f"dbt Cloud gives as the reason: {account.get('lock_reason') or 'none'}",
                ask=ADMIN,
            )
        yield ok("account", f"{account.get('name')} ({number}), plan {account.get('plan')}")

    def _token(self) -> Check:
        if self.target.token.startswith("dbtu_"):
            return warning(
                "token",
                "accepted; it is a personal token",
                "It stops working when its owner leaves or loses a permission.",
                "For anything but trying out, use a service token (dbtc_…).",
                ask=ADMIN,
            )
        return ok("token", "accepted")

    def _project(self, client: PreflightClient, job: Answer) -> Iterator[Check]:
        """Check the project and the environment of the job, or the project that `.env` names."""
        data = _dictionary(job.data)
        project_id = data.get("project_id") or self.target.project_id
        if project_id is None:
            return
        yield _thing(client, "project", "v3", f"projects/{project_id}/", project_id)
        environment_id = data.get("environment_id")
        if environment_id is not None:
            path = f"projects/{project_id}/environments/{environment_id}/"
            yield _thing(client, "environment", "v3", path, environment_id)

    def _job(self, client: PreflightClient, answer: Answer) -> Mapping[str, Any]:
        refused = refusal("job", answer, self.route.shown)
        if refused:
            raise refused
        if answer.status == NOT_FOUND:
            raise missing(
                "job",
                f"there is no job {self.target.job_id} in this account",
                answer,
                _known_jobs(client),
                "Copy the job's address from the browser, or choose it by name:   make setup",
            )
        return _dictionary(answer.data)


def _thing(client: PreflightClient, name: str, version: str, path: str, number: int) -> Check:
    """Check what the job belongs to. A refusal here alone need not stop a run: it is a warning."""
    answer = client.of_account(version, path)
    refused = refusal(name, answer, client.route.shown)
    if answer.status == NOT_FOUND:
        refused = missing(name, f"there is no {name} {number}", answer, "make setup")
    if refused is None:
        return ok(name, f"{_dictionary(answer.data).get('name')} ({number})")
    found = refused.check
    return Check(name, Level.WARNING, found.found, found.cause, found.remedies, found.ask)


def _renamed(check: Check, name: str, remedy: str) -> Check:
    remedies = (remedy, *check.remedies) if remedy else check.remedies
    return Check(name, check.level, check.found, check.cause, remedies, check.ask)


def _other_accounts(client: PreflightClient, number: int) -> str:
    """Name the accounts that the token does know, if it says so."""
    with suppress(PreflightError):
        accounts = client.get("v2/accounts/").data
        known = [
            f"{account['name']} ({account['id']})"
            for account in (accounts if isinstance(accounts, list) else [])
            if account.get("id") != number
        ]
        if known:
            return f"This token is for: {', '.join(known[:SHOWN])}"
    return ""


def _known_jobs(client: PreflightClient) -> str:
    jobs = client.of_account("v2", "jobs/", limit=SHOWN, order_by="-id").data
    known = [f"{job['name']} ({job['id']})" for job in (jobs if isinstance(jobs, list) else [])]
    return f"The newest jobs that this token sees: {', '.join(known) or 'none'}"


def _dictionary(data: Any) -> dict[str, Any]:
    return data if isinstance(data, dict) else {}
