"""
Read an address of dbt Cloud, as people copy it from the browser.

The shapes seen in the wild, for a job; other pages have the same beginnings:

    https://cloud.getdbt.com/#/accounts/1/projects/2/jobs/3/
    https://ab123.us1.dbt.com/deploy/1/projects/2/jobs/3
    https://ab123.us1.dbt.com/next/deploy/1/projects/2/jobs/3
    https://emea.dbt.com/api/v2/accounts/1/jobs/3/
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from dbt_cloud_api.user_error import UserError


EXAMPLE = "https://ab123.us1.dbt.com/deploy/1/projects/2/jobs/3"
WANTED_SHAPE = "https://ab123.us1.dbt.com/deploy/<account>/projects/<project>/jobs/<job>"

HOST = re.compile(r"(?=.{1,253}$)(?:[a-z0-9-]+\.)*[a-z0-9-]+")
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
SCHEMES = frozenset({"http", "https"})
# A number is one up to the end of its part of the path: `3abc` is none.
NUMBER = r"([0-9]+)(?![^/?#])"
ACCOUNT = re.compile(rf"/(?:accounts|deploy|develop|dashboard|explore|home|orchestration)/{NUMBER}")
PROJECT = re.compile(rf"/projects/{NUMBER}")
JOB = re.compile(rf"/jobs/{NUMBER}")


ID = re.compile(r"[0-9]{1,19}")
FIRST_BEYOND_64_BITS = 2**63


@dataclass(frozen=True, slots=True)
class Address:
    """A host, with its port if it has one; the numbers are None where the address has none."""

    host: str
    account_id: int | None = None
    project_id: int | None = None
    job_id: int | None = None

    def job_url(self) -> str:
        path = f"deploy/{self.account_id}/projects/{self.project_id}/jobs/{self.job_id}"
        return f"https://{self.host}/{path}"


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


def read_id(text: str) -> int | None:
    """Read a number that dbt Cloud may have given away: from 1 up, in 64 bits; None for others."""
    number = int(text) if ID.fullmatch(text) else 0
    return number if 0 < number < FIRST_BEYOND_64_BITS else None


def read_address(text: str) -> Address:
    """Read a host or any page's address; raise `UserError` for what is neither."""
    found = _parse(text)
    if found is None:
        raise UserError(
            f"this is no address of dbt Cloud: {text.strip() or 'nothing'}",
            "It is what the browser shows in its address bar while a page of dbt Cloud is open.",
            (f"For example:   {EXAMPLE}", "Or only the host:   ab123.us1.dbt.com"),
        )
    return found


def bare_host(text: str) -> str:
    """
    Take the host out of a host or an address, with or without `https://`.

    The provider puts `https://` in front of the host itself, so a pasted scheme would break it.
    """
    found = _parse(text)
    if found is None:
        raise UserError(
            f"DBT_CLOUD_HOST is no host name: {text}",
            "The host is the first part of the address that the browser shows in dbt Cloud.",
            ("In .env, for example:   DBT_CLOUD_HOST=ab123.us1.dbt.com",),
        )
    return found.host


def parse_job_url(text: str) -> JobUrl:
    """Read a job's address, or raise a `UserError` that shows the shape that is wanted."""
    found = _parse(text)
    if found is None or found.account_id is None or found.job_id is None:
        raise UserError(
            f"DBT_CLOUD_JOB_URL is not the address of a job: {text}",
            _why_not(text),
            (
                "In dbt Cloud open Deploy, Jobs, the job, and copy the browser's address.",
                f"It looks like this:   DBT_CLOUD_JOB_URL={WANTED_SHAPE}",
            ),
        )
    return JobUrl(found.host, found.account_id, found.job_id, found.project_id)


def _parse(text: str) -> Address | None:
    pasted = text.strip()
    try:
        parts = urlsplit(pasted if SCHEME.match(pasted) else f"https://{pasted}")
        name, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if parts.scheme not in SCHEMES or "@" in parts.netloc or not HOST.fullmatch(name):
        return None
    # The old pages keep everything behind a #.
    path = f"{parts.path}/{parts.fragment}".replace("//", "/")
    return Address(
        host=name if port is None else f"{name}:{port}",
        account_id=_number(ACCOUNT, path),
        project_id=_number(PROJECT, path),
        job_id=_number(JOB, path),
    )


def _number(shape: re.Pattern[str], path: str) -> int | None:
    found = shape.search(path)
    return read_id(found[1]) if found else None


def _why_not(text: str) -> str:
    if "/runs/" in text:
        return "This is the address of one run. The job it belongs to has an address of its own."
    if "/jobs" in text:
        return "The account or the job has no number in it."
    return "A job's address names the host, the account and the job."
