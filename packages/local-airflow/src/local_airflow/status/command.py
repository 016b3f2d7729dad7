"""`make status`, `make open`, `make wait-ready`."""

import json
import time
import webbrowser
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from dbt_cloud_api.client import DbtCloudApi
from dbt_cloud_api.user_error import UserError
from local_airflow.base.private_file import create_private
from local_airflow.base.progress_line import ProgressLine
from local_airflow.base.terminal import check_format, has_tables, is_looked_at
from local_airflow.running.mode_choice import current
from local_airflow.stack.dbt_cloud_connection import dbt_cloud_api, read_connection
from local_airflow.stack.mode import Mode, not_running
from local_airflow.stack.readiness import facts
from local_airflow.stack.settings import StackSettings, load_settings
from local_airflow.status import views
from local_airflow.status.facts import Status, gather


NOT_RUNNING = 3
ANY_TIME = datetime.min.replace(tzinfo=UTC)


def status(form: str) -> int:
    """Give 0 when everything is healthy, 3 when nothing runs, 1 in between."""
    check_format(form, ("env", "json"))
    mode = current(load_settings())
    if not mode.is_running():
        print(_nothing(form, mode.how_it_ended()))
        return NOT_RUNNING
    found = gather(mode)
    if form == "json":
        print(views.as_json(found))
    elif form == "env":
        print("\n".join(views.as_env(found)))
    else:
        _show(found)
    return 0 if found.healthy else 1


def _nothing(form: str, ended: str) -> str:
    if form == "json":
        return json.dumps({"running": False, **({"ended": ended} if ended else {})})
    if form == "env":
        return "HEALTHY=false"
    return "\n".join(["nothing is running; to start it:   make up", *([ended] if ended else [])])


def _show(found: Status) -> None:
    if is_looked_at() and has_tables():
        # Imported here because the launcher's own Python has no rich.
        from local_airflow.status import coloured  # noqa: PLC0415

        coloured.show(found)
    else:
        print("\n".join(views.plain(found)))


def open_page(what: str) -> int:
    """Open a page in the browser; where there is none, its address is what one needs."""
    mode = current(load_settings())
    local_page = f"{mode.settings.local_dbt_cloud_url}/deploy/"
    if what not in {"airflow", "dbt-cloud"} and not what.startswith(local_page):
        raise UserError(
            f"there is no page {what}",
            "It is one of: airflow (also without WHAT), dbt-cloud, an address of the local dbt "
            "Cloud.",
            ("make open", "make open WHAT=dbt-cloud", f"make open WHAT={local_page}…"),
        )
    if not mode.is_running():
        raise not_running(mode)
    known = {"airflow": lambda: mode.settings.airflow_url, "dbt-cloud": lambda: _job_page(mode)}
    address = known[what]() if what in known else what
    if not address.startswith(local_page):
        opened, link = webbrowser.open(address), address
    else:
        link = _dbt_cloud(mode.settings).link_to(urlsplit(address).path)
        opened = webbrowser.open(_private_page(mode.settings.folders.root, link))
    print(address if opened else f"this machine has no browser; open elsewhere:   {link}")
    return 0


def _private_page(folder: Path, link: str) -> str:
    """
    Write a page that leads on to the link, and give its address.

    The link lets in whoever has it, and every user of a machine can read command lines.
    """
    page = folder / "open.html"
    page.unlink(missing_ok=True)
    leads_on = f'<!doctype html><meta http-equiv="refresh" content="0; url={escape(link)}">'
    create_private(page, leads_on.encode())
    return page.as_uri()


def _job_page(mode: Mode) -> str:
    found = gather(mode).dbt_cloud
    return found.job_url or f"https://{read_connection(mode.settings).host}"


def _dbt_cloud(settings: StackSettings) -> DbtCloudApi:
    return dbt_cloud_api(read_connection(settings), settings)


def wait(seconds: int) -> int:
    """Wait until everything is ready, also when somebody else starts it; for scripts."""
    with ProgressLine("looking") as line:
        _wait(seconds, line)
    print("ready")
    return 0


def _wait(seconds: int, line: ProgressLine) -> None:
    while True:
        missing, why = _first_missing(current(load_settings()))
        if not missing:
            return
        line.what = missing
        if line.seconds > seconds:
            raise UserError(
                f"not ready after {seconds} s: {missing}",
                why,
                (
                    "make status",
                    "make doctor",
                    f"To wait longer:   make wait-ready SECONDS={seconds * 2}",
                ),
            )
        time.sleep(0.5)


def _first_missing(mode: Mode) -> tuple[str, str]:
    if not mode.is_running():
        wrong = not_running(mode)
        return wrong.problem, wrong.cause
    for what, _guilty, fact in facts(mode, ANY_TIME):
        try:
            if not fact():
                return what, mode.recovery() or "It answers, and says that it is not ready."
        except UserError as silent:
            return what, silent.cause
        except (OSError, ValueError) as silent:
            return what, str(silent)
    return "", ""
