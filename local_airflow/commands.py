"""What the commands do: up, down, status, logs, run, load, reset, install, lock."""

import contextlib
import shutil
import socket
import sys

from local_airflow.dag_run import follow, print_failures, trigger
from local_airflow.dbt_cloud_api import DbtCloudApi
from local_airflow.dbt_cloud_connection import DbtCloudConnection, read_connection
from local_airflow.dbt_cloud_tasks import end_dbt_cloud_tasks
from local_airflow.dotenv_file import read_dotenv, unknown_settings
from local_airflow.endpoints import AirflowApi
from local_airflow.folders import ROOT, dotenv_path
from local_airflow.interruption import undisturbed
from local_airflow.listeners import who_listens
from local_airflow.modes import choose, current
from local_airflow.only_start import only_start
from local_airflow.proof import gather
from local_airflow.questions import agrees_to_lose_data
from local_airflow.readiness import wait_until_ready
from local_airflow.run_progress import describe_runs
from local_airflow.salvage import settings_to_stop_with
from local_airflow.settings import Settings, load_settings
from local_airflow.terminal import fitted, painted
from local_airflow.user_error import UserError
from local_airflow.waiting import Waiting


# Below the values of a proof, which stand behind their names.
PROOF_INDENT = 20


def up(executor: str = "", workers: int = 0) -> int:
    with only_start():
        return _up(executor, workers)


def _up(executor: str, workers: int) -> int:
    if not dotenv_path().exists():
        shutil.copyfile(ROOT / ".env.example", dotenv_path())
        print("wrote .env from .env.example")
    settings = load_settings()
    for warning in unknown_settings(read_dotenv(dotenv_path())):
        head, _, rest = warning.partition(" ")
        print(painted(head, "yellow", sys.stderr), rest, file=sys.stderr)
    mode, why = choose(settings, executor, workers)
    print(f"mode: {mode.name}, {why}")
    connection = read_connection(settings)
    mode.install()
    mode.make_way()
    check_ports(settings, mode.own_ports())
    try:
        mode.start()
        wait_until_ready(mode)
    except BaseException:
        # Nothing half started stays behind, whatever the reason, Ctrl-C included.
        with undisturbed(), Waiting("stopping what was started"):
            mode.stop()
        raise
    print_table(mode.settings, connection)
    return 0


def check_ports(settings: Settings, own: frozenset[int]) -> None:
    ports = {
        "AIRFLOW_PORT": settings.airflow_port,
        "LOCAL_DBT_CLOUD_PORT": settings.local_dbt_cloud_port,
        "POSTGRES_PORT": settings.postgres_port,
    }
    for name, port in ports.items():
        if port in own:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                holder = who_listens(port) or "another program"
                raise UserError(
                    f"port {port} is taken",
                    f"{name} says {port}, but {holder} listens there ({error.strerror}).",
                    (f"In .env, for example:   {name}={port + 1}", "Or stop the other program."),
                ) from None


def print_table(settings: Settings, connection: DbtCloudConnection) -> None:
    where = f"{connection.host}, account {connection.account_id}"
    local = f"{painted('LOCAL', 'yellow')}  {settings.local_dbt_cloud_url}"
    dbt_cloud = local if settings.is_local else where
    rows = [
        ("Airflow", settings.airflow_url),
        ("  login", f"admin  {settings.admin_password}"),
        ("dbt Cloud", dbt_cloud),
        ("PostgreSQL", f"127.0.0.1:{settings.postgres_port}, database warehouse"),
        ("next", "make run"),
    ]
    print()
    for what, value in rows:
        print(f"  {what:<12} {value}")


def down() -> int:
    with settings_to_stop_with() as settings:
        mode = current(settings)
        if mode.is_running():
            _end_dbt_cloud_tasks(mode.settings)
        with undisturbed(), Waiting("stopping everything"):
            stopped = mode.stop()
    print("stopped" if stopped else "nothing was running")
    return 0


def _end_dbt_cloud_tasks(settings: Settings) -> None:
    """Whatever is wrong with Airflow or dbt Cloud, it must not keep anybody from stopping them."""
    api = AirflowApi(settings.airflow_url, "admin", settings.admin_password, seconds=20)
    with contextlib.suppress(UserError, SystemExit), Waiting("ending tasks that wait") as below:
        for line in end_dbt_cloud_tasks(api, lambda: _dbt_cloud_api(settings)):
            below.say(line)


def _dbt_cloud_api(settings: Settings) -> DbtCloudApi:
    return DbtCloudApi.of(read_connection(settings), settings)


def logs(service: str | None, lines: int, *, following: bool) -> int:
    return current(load_settings()).logs(service, lines, following=following)


def run(dag_id: str) -> int:
    """Trigger, follow, prove; 0 only when both sides are green and agree."""
    settings = current(load_settings()).settings
    api = AirflowApi(settings.airflow_url, "admin", settings.admin_password)
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
    return current(load_settings()).run_ingestion(["load", "--month", month])


def in_airflow(program: list[str]) -> int:
    """Run a program as Airflow's components run: their environment, connection, certificates."""
    return current(load_settings()).run_airflow(program)


def reset() -> int:
    with settings_to_stop_with() as settings:
        mode = current(settings)
        if not agrees_to_lose_data(f"Delete {mode.describe_data()}?", "make reset"):
            print("nothing was deleted")
            return 1
        with Waiting("stopping everything, deleting its data") as line:
            mode.delete_data()
    print(f"deleted in {line.seconds:.1f} s; to start anew:   make up")
    return 0
