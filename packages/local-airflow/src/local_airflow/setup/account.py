"""Go from an address and a token to one job, by names."""

from dataclasses import dataclass, replace
from typing import Any

from dbt_cloud_api.client import NOT_FOUND, DbtCloudApi, DbtCloudRefusedError
from dbt_cloud_api.connection_settings import DbtCloudConnection
from dbt_cloud_api.job_url import Address
from dbt_cloud_api.user_error import UserError
from local_airflow.base.questions import Questions
from local_airflow.stack.dbt_cloud_connection import dbt_cloud_api
from local_airflow.stack.settings import StackSettings


@dataclass(frozen=True, slots=True)
class ChosenJob:
    """A job, and the names on the way to it."""

    address: Address
    account: str
    project: str
    environment: str
    job: dict[str, Any]


def choose_job(
    questions: Questions, settings: StackSettings, address: Address, token: str
) -> tuple[DbtCloudApi, ChosenJob]:
    """Ask for what the address does not say. Raises `UserError` when dbt Cloud refuses."""
    connection = DbtCloudConnection(address.host, address.account_id or 0, 0, token, is_local=False)
    api = dbt_cloud_api(connection, settings)
    if address.account_id is None:
        account_id = _choose_account(questions, api)
        api = replace(api, account_id=account_id)
        address = replace(address, account_id=account_id)
    account = api.account()["name"]
    if address.job_id is not None:
        return api, _named(api, address, account)
    return api, _choose_in_account(questions, api, address, account)


def _choose_account(questions: Questions, api: DbtCloudApi) -> int:
    accounts = [(str(each["name"]), int(each["id"])) for each in api.accounts()]
    if not accounts:
        raise UserError(
            "this token is for no account",
            f"{api.host} accepts it, and lists no account for it.",
            ("Paste the address of the job's page instead: it names the account.",),
        )
    return questions.choose("DBT_CLOUD_ACCOUNT_NAME", "account", accounts)


def _named(api: DbtCloudApi, address: Address, account: str) -> ChosenJob:
    """Take the job that the address names; the rest of the way follows from it."""
    try:
        job = api.job(address.job_id or 0)
    except DbtCloudRefusedError as refused:
        if refused.status != NOT_FOUND:
            raise
        raise UserError(
            f"there is no job {address.job_id} in account {account}",
            f"{refused.problem} It says the same for a job that this token may not see.",
            ("Paste the account's host instead, to choose the job by name:   make setup",),
        ) from None
    project_id, environment_id = int(job["project_id"]), int(job["environment_id"])
    return ChosenJob(
        address=replace(address, project_id=project_id),
        account=account,
        project=_name_of(project_id, api.projects()),
        environment=_name_of(environment_id, api.environments(project_id)),
        job=job,
    )


def _name_of(number: int, things: list[dict[str, Any]]) -> str:
    return next((str(each["name"]) for each in things if each["id"] == number), str(number))


def _choose_in_account(
    questions: Questions, api: DbtCloudApi, address: Address, account: str
) -> ChosenJob:
    projects = _options("project", account, api.projects(), address.project_id)
    project = questions.choose("DBT_CLOUD_PROJECT_NAME", "project", projects)
    found = api.environments(project["id"])
    # Jobs run in deployment environments; in the others, people develop.
    deployed = [each for each in found if each.get("type", "deployment") == "deployment"]
    environments = _options("environment", project["name"], deployed)
    environment = questions.choose("DBT_CLOUD_ENVIRONMENT_NAME", "environment", environments)
    jobs = _options("job", environment["name"], api.jobs(project["id"], environment["id"]))
    job = questions.choose("DBT_CLOUD_JOB_NAME", "job", jobs)
    return ChosenJob(
        address=replace(address, project_id=project["id"], job_id=job["id"]),
        account=account,
        project=project["name"],
        environment=environment["name"],
        job=job,
    )


def _options(
    what: str, place: str, things: list[dict[str, Any]], wanted: int | None = None
) -> list[tuple[str, dict[str, Any]]]:
    options = [(str(each["name"]), each) for each in things if wanted in {None, each["id"]}]
    if not options:
        raise UserError(
            f"there is no {what} in {place}",
            "Or there is one, and this token may not see it.",
            (f"Make a {what} in dbt Cloud, or ask for a token that sees it, then:   make setup",),
        )
    return options
