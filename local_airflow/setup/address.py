"""Read whatever address of dbt Cloud somebody pastes, and take from it what it says."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from local_airflow.user_error import UserError


HOST = re.compile(r"(?=.{1,253}$)(?:[a-z0-9-]+\.)*[a-z0-9-]+", re.IGNORECASE)
# The page of an account, project, job or run, in the shapes of all the years: /deploy/1/…,
# /#/accounts/1/…, /settings/accounts/1, /api/v2/accounts/1/….
ACCOUNT = re.compile(r"/(?:accounts|deploy|develop|dashboard|explore|home|orchestration)/(\d+)")
PROJECT = re.compile(r"/projects/(\d+)")
JOB = re.compile(r"/jobs/(\d+)")

EXAMPLE = "https://ab123.us1.dbt.com/deploy/1/projects/2/jobs/3"


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


def read_address(text: str) -> Address:
    """Read a host or any page's address; raise `UserError` for what is neither."""
    pasted = text.strip()
    parts = urlsplit(pasted if "://" in pasted else f"https://{pasted}")
    try:
        name, port = parts.hostname or "", parts.port
    except ValueError:
        name, port = "", None
    if not HOST.fullmatch(name):
        raise UserError(
            f"this is no address of dbt Cloud: {pasted or 'nothing'}",
            "It is what the browser shows in its address bar while a page of dbt Cloud is open.",
            (f"For example:   {EXAMPLE}", "Or only the host:   ab123.us1.dbt.com"),
        )
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
    return int(found[1]) if found else None
