"""What the commands do: up, down, status, logs, run, load, reset, install, lock."""

import contextlib
import sys
from pathlib import Path

from dbt_cloud_api.client import DbtCloudApi
from dbt_cloud_api.connection_settings import DbtCloudConnection
from dbt_cloud_api.dotenv_file import read_dotenv, unknown_settings
from dbt_cloud_api.user_error import UserError
from local_airflow.base.folders import ROOT, dotenv_path
from local_airflow.base.interruption import undisturbed
from local_airflow.base.listeners import who_listens, why_not_free
from local_airflow.base.only_start import end_start, only_start
from local_airflow.base.private_file import create_private, make_private
from local_airflow.base.progress_line import ProgressLine
from local_airflow.base.questions import agrees_to_lose_data
from local_airflow.base.terminal import fitted, painted
from local_airflow.running.dag_run import default_dag, follow, print_failures, trigger
from local_airflow.running.dbt_cloud_tasks import end_dbt_cloud_tasks
from local_airflow.running.mode_choice import choose, current
from local_airflow.running.proof import gather
from local_airflow.running.run_progress import describe_runs
from local_airflow.stack.airflow_api import AirflowApi
from local_airflow.stack.dbt_cloud_connection import (
    dbt_cloud_api,
    leaves_out_socks,
    read_connection,
)
from local_airflow.stack.lenient_settings import settings_ignoring_broken_lines
from local_airflow.stack.part_probes import blame, look_at_parts
from local_airflow.stack.readiness import wait_until_ready
from local_airflow.stack.settings import StackSettings, load_settings


# Below the values of a proof, which stand behind their names.
PROOF_INDENT = 20


def up(executor: str = "", workers: int = 0) -> int:
    with only_start():
        return _up(executor, workers)


def _up(executor: str, workers: int) -> int:
    _have_dotenv(dotenv_path())
    settings = load_settings()
    for warning in unknown_settings(read_dotenv(dotenv_path())):
        _warn(warning.removeprefix("warning: "))
    mode, why = choose(settings, executor, workers)
    print(f"mode: {mode.name}, {why}")
    connection = read_connection(settings)
    if mode.name == "native" and leaves_out_socks(connection):
        _warn(
            "Airflow cannot use the SOCKS proxy of this shell, and reaches dbt Cloud directly; "
            "if there is one that speaks HTTP:   HTTPS_PROXY=http://… make up"
        )
    mode.install()
    mode.stop_previous()
    check_ports(settings, mode.own_ports())
    try:
        mode.start()
        wait_until_ready(mode)
    except BaseException:
        # Nothing half started stays behind, whatever the reason, Ctrl-C included.
        with undisturbed(), ProgressLine("stopping what was started"):
            mode.stop()
        raise
    print_table(mode.settings, connection)
    return 0


def _warn(sentence: str) -> None:
    print(painted("warning:", "yellow", sys.stderr), sentence, file=sys.stderr)


def _have_dotenv(file: Path) -> None:
    if not file.exists():
        create_private(file.resolve(), _example())
        print("wrote .env from .env.example")
    elif before := make_private(file):
        print(f"only you can read .env now; it was {before}")


def _example() -> bytes:
    try:
        return (ROOT / ".env.example").read_bytes()
    except FileNotFoundError:
        raise UserError(
            "there is neither .env nor .env.example",
            "make up copies the second, which is part of this repository, to the first.",
            ("git checkout .env.example", "With every setting at its default:   touch .env"),
        ) from None


def check_ports(settings: StackSettings, own: frozenset[int]) -> None:
    ports = {
        "AIRFLOW_PORT": settings.airflow_port,
        "LOCAL_DBT_CLOUD_PORT": settings.local_dbt_cloud_port,
        "POSTGRES_PORT": settings.postgres_port,
    }
    for name, port in ports.items():
        if port in own:
            continue
        why = why_not_free(port)
        if why:
            holder = who_listens(port) or "another program"
            raise UserError(
                f"port {port} is taken",
                f"{name} says {port}, but {holder} listens there ({why}).",
                (f"In .env, for example:   {name}={port + 1}", "Or stop the other program."),
            )


def print_table(settings: StackSettings, connection: DbtCloudConnection) -> None:
    where = f"{connection.host}, account {connection.account_id}"
    local = f"{painted('LOCAL', 'yellow')}  {settings.local_dbt_cloud_url}"
    dbt_cloud = local if settings.is_local else where
    rows = [
        ("Airflow", settings.airflow_url),
        ("  login", f"admin  {settings.admin_password}"),
        ("dbt Cloud", dbt_cloud),
        *([("  pages", "make open WHAT=dbt-cloud")] if settings.is_local else []),
        ("PostgreSQL", f"127.0.0.1:{settings.postgres_port}, database warehouse"),
        ("next", "make run"),
    ]
    print()
    for what, value in rows:
        print(f"  {what:<12} {value}")


def down() -> int:
    started = _end_start()
    with settings_ignoring_broken_lines() as settings:
        mode = current(settings)
        if mode.is_running():
            _end_dbt_cloud_tasks(mode.settings)
        with undisturbed(), ProgressLine("stopping everything"):
            stopped = mode.stop()
    print("stopped" if stopped or started else "nothing was running")
    return 0


def _end_start() -> bool:
    with ProgressLine("ending the start that is at work"):
        return end_start()


def _end_dbt_cloud_tasks(settings: StackSettings) -> None:
    """Whatever is wrong with Airflow or dbt Cloud, it must not keep anybody from stopping them."""
    api = AirflowApi(settings.airflow_url, "admin", settings.admin_password, seconds=20)
    with (
        contextlib.suppress(UserError, SystemExit),
        ProgressLine("ending tasks that wait") as below,
    ):
        for line in end_dbt_cloud_tasks(api, lambda: _dbt_cloud_api(settings)):
            below.say(line)


def _dbt_cloud_api(settings: StackSettings) -> DbtCloudApi:
    return dbt_cloud_api(read_connection(settings), settings)


def logs(service: str | None, lines: int, *, following: bool) -> int:
    return current(load_settings()).logs(service, lines, following=following)


def run(dag_id: str) -> int:
    """Trigger, follow, prove; 0 only when both sides are green and agree."""
    mode = current(load_settings())
    try:
        code = _run(mode.settings, dag_id)
    except UserError as error:
        raise blame(mode, error) from None
    if code:
        # What the tasks' logs blame may only be what a part that is down has left them.
        for part in look_at_parts(mode):
            if not part.is_healthy:
                print(f"\n{part.problem}", file=sys.stderr)
    return code


def _run(settings: StackSettings, dag_id: str) -> int:
    api = AirflowApi(settings.airflow_url, "admin", settings.admin_password)
    dag_id = dag_id or default_dag(api)
    dag_run = trigger(api, dag_id)
    print(f"{dag_id}: {dag_run.url}")
    dbt_cloud = _dbt_cloud_api(settings)
    try:
        follow(dag_run, look_further=lambda dag_run: describe_runs(dag_run, dbt_cloud))
    except KeyboardInterrupt:
        print(f"\nIt goes on without you:   {dag_run.url}")
        raise
    proofs = gather(dag_run, dbt_cloud)
    for proof in proofs:
        print("\nproof")
        print("\n".join(fitted(line, PROOF_INDENT) for line in proof.lines()))
    if not proofs:
        print(f"\n{dag_id} is {dag_run.state}; it started no dbt Cloud run.")
    print_failures(dag_run)
    agree = all(check.holds for proof in proofs for check in proof.checks())
    return 0 if dag_run.state == "success" and agree else 1


def load(month: str) -> int:
    settings = load_settings()
    if not settings.has_examples:
        raise UserError(
            "there are no flights to load",
            "They belong to the examples, which .env has switched off or whose folder is gone.",
            ("In .env:   EXAMPLES=true", "make up"),
        )
    return current(settings).run_ingestion(["load", "--month", month])


def in_airflow(program: list[str]) -> int:
    """Run a program as Airflow's components run: their environment, connection, certificates."""
    return current(load_settings()).run_airflow(program)


def reset() -> int:
    with settings_ignoring_broken_lines() as settings:
        mode = current(settings)
        if not agrees_to_lose_data(f"Delete {mode.describe_data()}?", "make reset"):
            print("nothing was deleted")
            return 1
        _end_start()
        with ProgressLine("stopping everything, deleting its data") as line:
            mode.delete_data()
    print(f"deleted in {line.seconds:.1f} s; to start anew:   make up")
    return 0
