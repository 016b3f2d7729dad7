"""What goes into the bundle: each part by itself, so that one that fails costs no other."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from dbt_cloud_api.client import DbtCloudApi
from dbt_cloud_api.dbt_commands import steps_with_results
from dbt_cloud_api.user_error import UserError
from local_airflow.base.folders import LOCAL, ROOT, dotenv_path, state_folders
from local_airflow.bundle.known_secrets import read_raw_settings
from local_airflow.bundle.lookalikes import MASK, is_secret_name
from local_airflow.doctor import report
from local_airflow.doctor.examination import examine
from local_airflow.doctor.pins import installed_versions
from local_airflow.stack.airflow_api import AirflowApi
from local_airflow.stack.dbt_cloud_connection import dbt_cloud_api, read_connection
from local_airflow.stack.mode import Mode
from local_airflow.status.facts import gather


LOG_LINES = 2000
FAILED_TASKS = 5
RUNS = 5
SHOWN_VARIABLES = (
    *("AIRFLOW", "DBT_", "LOCAL_", "HTTP", "http", "NO_PROXY", "no_proxy", "ALL_PROXY", "SSL_"),
    *("REQUESTS_", "CURL_", "LANG", "LC_", "TERM", "PYTHON", "DOCKER_", "UV_"),
)

Part = tuple[str, Callable[[], str]]


def parts(mode: Mode | None) -> Iterator[Part]:
    """Name each file of the bundle with what makes its content; `mode` is None without `.env`."""
    yield "doctor.json", lambda: report.as_json(examine())
    yield "versions.txt", _versions
    yield "settings.txt", _settings
    yield "process_environment.txt", _process_environment
    yield "repository.txt", _repository
    yield "dbt_cloud_jobs.yml", lambda: (ROOT / "dbt_cloud_jobs.yml").read_text(encoding="utf-8")
    # By their files, so that they are there also when .env is broken.
    state = state_folders()
    if mode is not None:
        mode.keep_logs()
    for name, folders in (("logs", state), ("logs/containers", state.containers)):
        for file in sorted(folders.logs.glob("*.log")):
            yield f"{name}/{file.name}", partial(_end_of, file)
    if mode is None:
        return
    if mode.is_running():
        yield "status.json", lambda: _json(gather(mode).as_json() | {"airflow_password": MASK})
        yield from _airflow_parts(mode)
        yield from _dbt_cloud_parts(mode)


def _airflow_parts(mode: Mode) -> Iterator[Part]:
    settings = mode.settings
    api = AirflowApi(settings.airflow_url, "admin", settings.admin_password, seconds=20)
    for name in ("importErrors", "connections", "variables", "pools", "plugins", "providers"):
        yield f"airflow/{name}.json", partial(_listed, api, name)
    yield "airflow/health.json", lambda: _json(api.get_public("/api/v2/monitor/health"))
    yield "airflow/failed_tasks.txt", lambda: "\n".join(_failed_tasks(api))


def _listed(api: AirflowApi, name: str) -> str:
    return _json(api.get(f"/api/v2/{name}", limit=200))


def _end_of(file: Path) -> str:
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-LOG_LINES:])


def _failed_tasks(api: AirflowApi) -> Iterator[str]:
    """Give the logs of the tasks that failed last."""
    newest = {"state": "failed", "order_by": "-start_date", "limit": FAILED_TASKS}
    tasks = api.get("/api/v2/dags/~/dagRuns/~/taskInstances", **newest)["task_instances"]
    for task in tasks:
        path = f"/api/v2/dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances"
        named = [str(task[key]) for key in ("dag_id", "dag_run_id", "task_id", "try_number")]
        yield f"=== {' '.join(named)}"
        log = api.get(
            f"{path}/{task['task_id']}/logs/{task['try_number']}", map_index=task["map_index"]
        )
        yield from (each if isinstance(each, str) else _json(each) for each in log["content"])
    if not tasks:
        yield "no task has failed"


def _dbt_cloud_parts(mode: Mode) -> Iterator[Part]:
    connection = read_connection(mode.settings)
    api = dbt_cloud_api(connection, mode.settings)
    shown = {"host": connection.host, "account_id": connection.account_id}
    shown |= {"job_id": connection.job_id, "is_local": connection.is_local, "token": MASK}
    yield "dbt_cloud/connection.json", lambda: _json(shown)
    yield "dbt_cloud/job.json", lambda: _json(api.job(connection.job_id))
    yield "dbt_cloud/newest_runs.json", lambda: _json(api.newest_runs(connection.job_id, RUNS))
    yield "dbt_cloud/run_results.json", lambda: _json(_newest_results(api, connection.job_id))


def _newest_results(api: DbtCloudApi, job_id: int) -> list[Any]:
    newest = [api.run(run["id"]) for run in api.newest_runs(job_id, 1)]
    steps = [(run["id"], step) for run in newest for step in steps_with_results(run["run_steps"])]
    return [api.run_results(run_id, step) for run_id, step in steps]


def _versions() -> str:
    lines = [
        f"system    {platform.platform()}",
        f"python    {sys.version}",
        f"commit    {_git('log', '-1', '--format=%H %cI')}",
    ]
    for file in sorted(LOCAL.glob("*/installed")):
        versions = installed_versions(file.parent.name)
        lines += ["", file.parent.name]
        lines += [f"  {name}=={version}" for name, version in sorted(versions.items())]
    return "\n".join(lines)


def _settings() -> str:
    """Give `.env` line by line, whatever is wrong with it, secrets masked by their names."""
    settings = read_raw_settings()
    lines = [f"{name}={_shown(name, value)}" for name, value in settings.items()]
    return "\n".join([f"# {dotenv_path().name}, its lines with a value", *lines])


def _process_environment() -> str:
    shown = sorted(name for name in os.environ if name.startswith(SHOWN_VARIABLES))
    return "\n".join(f"{name}={_shown(name, os.environ[name])}" for name in shown)


def _shown(name: str, value: str) -> str:
    return MASK if is_secret_name(name) else value


def _repository() -> str:
    """Say what differs from the commit, by name: what was changed may be private."""
    return f"{_git('status', '--short', '--branch')}\n\n{_git('diff', '--stat')}"


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired) as broken:
        return f"git: {broken}"
    return (done.stdout or done.stderr).strip()


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, default=str)


def read_part(make: Callable[[], str]) -> str:
    """Make a part; when that fails, the reason is its content."""
    try:
        return make()
    except UserError as wrong:
        return f"not to be had: {wrong}"
    except Exception as surprise:  # noqa: BLE001 # a bundle is made when things are broken
        return f"not to be had: {type(surprise).__name__}: {surprise}"
