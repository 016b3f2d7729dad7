"""
Read the address of a dbt Cloud job, as people copy it from the browser.

The shapes seen in the wild:

    https://cloud.getdbt.com/#/accounts/1/projects/2/jobs/3/
    https://ab123.us1.dbt.com/deploy/1/projects/2/jobs/3
    https://ab123.us1.dbt.com/next/deploy/1/projects/2/jobs/3
    https://emea.dbt.com/api/v2/accounts/1/jobs/3/
"""

import re
from dataclasses import dataclass

from include.dbt_cloud.settings_error import SettingsError


WANTED_SHAPE = "https://ab123.us1.dbt.com/deploy/<account>/projects/<project>/jobs/<job>"

HOST = re.compile(r"(?:https?://)?(?P<host>[A-Za-z0-9.-]+(?::\d{1,5})?)(?P<path>[/#?].*)?")
JOB_PATH = re.compile(
    r"/(?:#/accounts|deploy|next/deploy|api/v[23]/accounts)/(?P<account>\d+)"
    r"(?:/projects/(?P<project>\d+))?/jobs/(?P<job>\d+)(?![^/?#])"
)


@dataclass(frozen=True, slots=True)
class JobUrl:
    """
    Where a job is: a bare host (with its port, if it has one) and ids of up to 64 bits.

    `project_id` is None where the address does not name the project.
    """

    host: str
    account_id: int
    job_id: int
    project_id: int | None = None


def bare_host(text: str) -> str:
    """
    Take the host out of a host or an address, with or without `https://`.

    The provider puts `https://` in front of the host itself, so a pasted scheme would break it.
    """
    match = HOST.fullmatch(text.strip())
    if match is None:
        raise SettingsError(
            f"DBT_CLOUD_HOST is no host name: {text}",
            "The host is the first part of the address that the browser shows in dbt Cloud.",
            ("In .env, for example:   DBT_CLOUD_HOST=ab123.us1.dbt.com",),
        )
    return match["host"].lower()


def parse_job_url(text: str) -> JobUrl:
    """Read a job's address, or raise a `SettingsError` that shows the shape that is wanted."""
    address = HOST.fullmatch(text.strip())
    job = JOB_PATH.match(address["path"] or "") if address else None
    if address is None or job is None:
        raise SettingsError(
            f"DBT_CLOUD_JOB_URL is not the address of a job: {text}",
            _why_not(text),
            (
                "In dbt Cloud open Deploy, Jobs, the job, and copy the browser's address.",
                f"It looks like this:   DBT_CLOUD_JOB_URL={WANTED_SHAPE}",
            ),
        )
    project = int(job["project"]) if job["project"] else None
    return JobUrl(address["host"].lower(), int(job["account"]), int(job["job"]), project)


def _why_not(text: str) -> str:
    if "/runs/" in text:
        return "This is the address of one run. The job it belongs to has an address of its own."
    if "/jobs" in text:
        return "The account or the job has no number in it."
    return "A job's address names the host, the account and the job."
