"""The package dbt-jobs-as-code: what differs, and how it is brought about."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbt_jobs_as_code.client import DBTCloud, DBTCloudException
from dbt_jobs_as_code.cloud_yaml_mapping.change_set import BuildChangeSetOptions, build_change_set
from dbt_jobs_as_code.cloud_yaml_mapping.validate_link import can_be_linked
from dbt_jobs_as_code.loader.load import LoadingJobsYAMLError, load_job_configuration
from dbt_jobs_as_code.schemas import check_job_mapping_same
from loguru import logger
from pydantic import ValidationError

from dbt_cloud_api.plain_text import one_line
from dbt_cloud_api.user_error import UserError


@dataclass(frozen=True, slots=True)
class Account:
    """The package's client, and the file of jobs with this account's ids."""

    base_url: str
    account_id: int
    token: str = field(repr=False)
    jobs: Path

    def client(self) -> Any:
        return DBTCloud(self.account_id, self.token, self.base_url, use_desc_for_id=True)


@dataclass(frozen=True, slots=True)
class Change:
    """`differences` has a line for every value that is to be another one."""

    action: str
    key: str
    differences: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # The account has texts in it that somebody else chose.
        object.__setattr__(self, "key", one_line(self.key))
        object.__setattr__(self, "differences", tuple(map(one_line, self.differences)))


def plan(account: Account) -> list[Change]:
    """Compare; changes nothing. A job that is only to be linked shows what then differs too."""
    with _explained():
        linked = _to_link(account)
        changes = [*(Change("link", key) for key in linked)]
        defined = load_job_configuration([str(account.jobs)], None).jobs
        for key, job in linked.items():
            job.identifier = key
            is_same, difference = check_job_mapping_same(defined[key], job)
            if not is_same:
                changes.append(Change("update", key, _lines(difference["differences"])))
        for each in _change_set(account):
            if each.identifier not in linked:
                lines = _lines(each.differences or {})
                changes.append(Change(each.action.lower(), each.identifier, lines))
    return sorted(changes, key=lambda change: (change.key, change.action != "link"))


def apply(account: Account, *, delete: bool) -> list[str]:
    """Bring it about; give a line for each thing that was done. Raises `UserError` at a refusal."""
    done = []
    with _explained():
        client = account.client()
        for key, job in _to_link(account).items():
            job.identifier = key
            client.update_job(job=job)
            done.append(f"linked {key}")
        for change in _change_set(account):
            if change.action.lower() == "delete" and change.type == "job" and not delete:
                continue
            change.apply()
            done.append(one_line(f"{change.action.lower()}d {change.identifier}"))
    return done


def export(account: Account, job_id: int) -> tuple[str | None, dict[str, Any]]:
    """Give a job of the account in the file's format, and its key if it has one there."""
    with _explained():
        client = account.client()
        job = client.get_job(job_id=job_id)
        for variable in client.get_env_vars(project_id=job.project_id, job_id=job_id).values():
            if variable.value:
                job.custom_environment_variables.append(variable)
        exported: dict[str, Any] = job.to_load_format(include_linked_id=True)
        return job.identifier, exported


def _to_link(account: Account) -> dict[str, Any]:
    """Find the jobs of the account that are meant, and do not carry their key yet."""
    client, linked = account.client(), {}
    for key, job in load_job_configuration([str(account.jobs)], None).jobs.items():
        if job.linked_id is None:
            continue
        check = can_be_linked(key, job, client)
        if check.can_be_linked:
            linked[key] = check.linked_job
    return linked


def _change_set(account: Account) -> Any:
    # Only the projects and environments of the file: the rest of the account is not ours.
    os.environ.update(DBT_API_KEY=account.token, DBT_BASE_URL=account.base_url)
    options = BuildChangeSetOptions(
        config=str(account.jobs),
        yml_vars=None,
        disable_ssl_verification=False,
        project_ids=[],
        environment_ids=[],
        limit_projects_envs_to_yml=True,
        output_json=True,
        use_desc_for_id=True,
    )
    return build_change_set(options)


def _lines(differences: Any) -> tuple[str, ...]:
    """Lay out what DeepDiff found: the place, the value there and the value of the file."""
    if "old_value" in differences:
        return (f"{differences['old_value']} → {differences['new_value']}",)
    lines = []
    for kind, found in differences.items():
        if kind in {"values_changed", "type_changes"}:
            for place, values in found.items():
                lines.append(f"{_place(place)}: {values['old_value']} → {values['new_value']}")
        else:
            word = kind.replace("iterable_item_", "").replace("dictionary_item_", "")
            places = found.items() if hasattr(found, "items") else ((each, "") for each in found)
            lines += [f"{_place(place)} {word}: {value}" for place, value in places]
    return tuple(lines)


def _place(path: str) -> str:
    """Write `root['settings']['threads']` as settings.threads."""
    return ".".join(re.findall(r"\['?([^'\]]+)'?\]", path))


@contextmanager
def _explained() -> Iterator[None]:
    """Keep the package's log, and tell its refusals as ours are told."""
    logger.remove()
    said: list[str] = []
    logger.add(lambda message: said.append(str(message).strip()), level="ERROR", format="{message}")
    try:
        yield
    except DBTCloudException as refused:
        raise UserError(
            "dbt Cloud does not take it",
            "\n".join([f"{refused}.", *said]),
            ("Which permission is missing, and whom to ask:   make doctor",),
        ) from None
    except (LoadingJobsYAMLError, ValidationError, SystemExit) as wrong:
        raise UserError(
            "dbt_cloud_jobs.yml is not what dbt-jobs-as-code understands",
            "\n".join([str(wrong), *said]),
            ("Correct the file; its first line names a schema that editors know.",),
        ) from None
    finally:
        logger.remove()
        logger.add(sys.stderr, level="ERROR")
