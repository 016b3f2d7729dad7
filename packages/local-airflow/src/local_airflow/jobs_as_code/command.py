"""The three commands: show what differs, bring it about after a yes, bring a job into the file."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dbt_cloud_api.client import DbtCloudApi
from dbt_cloud_api.connection_settings import DbtCloudConnection
from dbt_cloud_api.job_url import read_address, read_id
from dbt_cloud_api.user_error import UserError
from local_airflow.base.questions import find_option, questions
from local_airflow.base.shell_variables import drop_socks
from local_airflow.jobs_as_code import package
from local_airflow.jobs_as_code.jobs_file import (
    JobsFile,
    jobs_path,
    key_for,
    read_jobs_file,
    write_jobs_file,
)
from local_airflow.jobs_as_code.places import Places, Wanted, find_places
from local_airflow.jobs_as_code.translation import for_account, for_file, free_id, keys_of
from local_airflow.jobs_as_code.view import show_plan
from local_airflow.running.mode_choice import current
from local_airflow.stack.dbt_cloud_connection import dbt_cloud_api, read_connection
from local_airflow.stack.settings import StackSettings, load_settings
from local_airflow.stack.trust import trusted_file


@dataclass(frozen=True, slots=True)
class Session:
    """One account, as `.env` names it, and the file beside it."""

    connection: DbtCloudConnection
    api: DbtCloudApi
    file: JobsFile
    places: Places
    name: str

    @property
    def where(self) -> str:
        if self.connection.is_local:
            return f"the local dbt Cloud, {self.api.host}"
        return f"account {self.name}, {self.api.host}"


def jobs_plan(wanted: Wanted, *, check: bool) -> int:
    """With `check`, give 1 when something differs; for scripts."""
    with _session(wanted) as session, _account(session) as account:
        changes = package.plan(account)
        show_plan(session.where, changes)
        return 1 if check and changes else 0


def jobs_sync(wanted: Wanted) -> int:
    with _session(wanted) as session, _account(session) as account:
        changes = package.plan(account)
        show_plan(session.where, changes)
        if not changes:
            return 0
        asked = questions(print)
        deleted = [change.key for change in changes if change.action == "delete"]
        if len(deleted) < len(changes) and not asked.confirm("CONFIRM", "Change it there?"):
            print("nothing was changed")
            return 1
        delete = bool(deleted) and asked.confirm(
            "DELETE", f"Delete there what the file does not have ({', '.join(deleted)})?"
        )
        for line in package.apply(account, delete=delete):
            print(f"  {line}")
        if session.connection.is_local:
            _take_ids(session)
        return 0


def _take_ids(session: Session) -> None:
    """Write the ids of new jobs into the file, so that the next start finds them by these."""
    there = _jobs_there(session)
    changed = False
    for key, job in session.file.jobs.items():
        ids = there.get(str(job["name"]), [])
        if len(ids) == 1 and ids[0] != job["linked_id"]:
            job["linked_id"], changed = ids[0], True
            print(f"  {key} has the id {ids[0]} in {session.file.path.name} now")
    if changed:
        write_jobs_file(session.file)


def jobs_import(job: str, wanted: Wanted) -> int:
    with _session(wanted) as session, _account(session) as account:
        job_id = _find_job(session, job)
        key, exported = package.export(account, job_id)
        named = key or next(keys_of(session.file, exported["name"]), key_for(exported["name"]))
        before = session.file.text()
        linked_id = _linked_id(session, named, job_id)
        written = for_file(exported, session.places, session.file.account_id, linked_id)
        session.file.put(named, written)
        if session.file.text() == before:
            print(f"{named}: the file has it as it is in {session.where}")
            return 0
        write_jobs_file(session.file)
        print(f"{named}: brought from {session.where} into {session.file.path.name}")
        print("To look at it:   git diff dbt_cloud_jobs.yml")
        if not session.connection.is_local:
            print("To have it in the local dbt Cloud too, with an empty token:   make up")
        return 0


def _linked_id(session: Session, key: str, job_id: int) -> int:
    """Keep the id that the file has; a job of the local dbt Cloud keeps its own."""
    if key in session.file.jobs:
        return int(session.file.jobs[key]["linked_id"])
    return job_id if session.connection.is_local else free_id(session.file)


def _find_job(session: Session, job: str) -> int:
    """Take a number, an address, or a name of a job in the places that the file knows."""
    number = read_id(job)
    if number is not None:
        return number
    if "/jobs/" in job:
        return read_address(job).job_id or 0
    places = session.places.there.values()
    jobs = [
        (str(each["name"]), int(each["id"]))
        for place in places
        for each in session.api.jobs(place.project_id, place.environment_id)
    ]
    found = find_option(job, jobs)
    if len(found) == 1:
        return found[0][1]
    raise UserError(
        f"JOB={job} names {'several jobs' if found else 'no job'}" if job else "JOB is not set",
        f"There are: {', '.join(name for name, _ in jobs) or 'none'}.",
        (f"make jobs-import JOB='{jobs[0][0] if jobs else 'Build flights'}'",),
    )


@contextmanager
def _session(wanted: Wanted) -> Iterator[Session]:
    """Read the file and ask who the account is; refuse where nobody answers."""
    settings = current(load_settings()).settings
    connection = read_connection(settings)
    api = dbt_cloud_api(connection, settings)
    name = str(api.account()["name"])
    file = read_jobs_file(jobs_path())
    places = find_places(file, api, wanted, is_local=connection.is_local)
    with _trusting(settings):
        yield Session(connection, api, file, places, name)


@contextmanager
def _trusting(settings: StackSettings) -> Iterator[None]:
    """Let requests, which the package uses, trust what the stack trusts, and use its proxies."""
    with trusted_file(settings) as bundle:
        if bundle is not None:
            os.environ["REQUESTS_CA_BUNDLE"] = str(bundle)
        drop_socks(os.environ)
        yield


@contextmanager
def _account(session: Session) -> Iterator[package.Account]:
    """Write the file's jobs with the account's ids for the package, which reads files."""
    account_id = session.connection.account_id
    content = for_account(session.file, session.places, account_id, _jobs_there(session))
    with tempfile.TemporaryDirectory() as folder:
        jobs = Path(folder) / "jobs.yml"
        jobs.write_text(json.dumps(content), encoding="utf-8")  # which is YAML as well
        yield package.Account(
            f"https://{session.api.host}", account_id, session.connection.token, jobs
        )


def _jobs_there(session: Session) -> dict[str, list[int]]:
    """Give the ids of the account's jobs by their names, in the places that the file knows."""
    jobs: dict[str, list[int]] = {}
    for place in session.places.there.values():
        for job in session.api.jobs(place.project_id, place.environment_id):
            jobs.setdefault(str(job["name"]), []).append(int(job["id"]))
    return jobs
