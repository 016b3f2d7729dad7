"""What the commands do: up, down, status, logs, run, load, reset, install, lock."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time

from local_airflow.dag_run import follow, print_failures, trigger
from local_airflow.dbt_cloud_api import DbtCloudApi
from local_airflow.dotenv_file import read_dotenv, unknown_settings
from local_airflow.endpoints import AirflowApi
from local_airflow.folders import ROOT, dotenv_path
from local_airflow.install import TO_RUN, check_space, install
from local_airflow.listeners import who_listens
from local_airflow.process_table import MARK, base_environment, python
from local_airflow.proof import gather
from local_airflow.readiness import components_healthy, local_dbt_cloud_healthy, wait_until_ready
from local_airflow.settings import Settings, load_settings
from local_airflow.stack_processes import end_all, marked, supervisor_pid
from local_airflow.state_file import read_state
from local_airflow.supervisor import open_log
from local_airflow.user_error import UserError


# Two databases with their write-ahead logs, a month of flights, and the logs of some days.
NEEDED_MEGABYTES = 300


def up() -> int:
    if not dotenv_path().exists():
        shutil.copyfile(ROOT / ".env.example", dotenv_path())
        print("wrote .env from .env.example")
    settings = load_settings()
    for warning in unknown_settings(read_dotenv(dotenv_path())):
        print(warning, file=sys.stderr)
    print("mode: native, the only one there is so far")
    connection = read_connection(settings)
    install(TO_RUN)
    settings.folders.create()
    (settings.folders.logs / "tasks").mkdir(exist_ok=True)
    check_space(settings.state, NEEDED_MEGABYTES, "Databases and logs need")
    if marked(settings):
        print("already running; starting again with .env as it is now")
        end_all(settings)
    check_ports(settings)
    try:
        _start_supervisor(settings)
        wait_until_ready(settings)
    except BaseException:
        # Nothing half started stays behind, whatever the reason, Ctrl-C included.
        end_all(settings)
        raise
    print_table(settings, connection)
    return 0


def read_connection(settings: Settings) -> dict[str, object]:
    """Let the one function that knows decide; it refuses a wrong .env in its own words."""
    done = subprocess.run(
        [sys.executable, "-m", "include.dbt_cloud.connection", "--reveal"],
        cwd=ROOT,
        env={"PATH": os.environ.get("PATH", ""), **settings.process_environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr.rstrip())
    connection: dict[str, object] = json.loads(done.stdout)
    return connection


def check_ports(settings: Settings) -> None:
    ports = {
        "AIRFLOW_PORT": settings.airflow_port,
        "LOCAL_DBT_CLOUD_PORT": settings.local_dbt_cloud_port,
        "POSTGRES_PORT": settings.postgres_port,
    }
    for name, port in ports.items():
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


def _start_supervisor(settings: Settings) -> None:
    environment = {**base_environment(settings), MARK: str(settings.state)}
    with open_log(settings, "supervisor") as log:
        subprocess.Popen(
            [sys.executable, "-m", "local_airflow", "supervise"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def print_table(settings: Settings, connection: dict[str, object]) -> None:
    where = f"{connection['host']}, account {connection['account_id']}"
    dbt_cloud = f"LOCAL  {settings.local_dbt_cloud_url}" if settings.is_local else where
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
    print("stopped" if end_all(load_settings()) else "nothing was running")
    return 0


def status() -> int:
    """Give 0 when everything is healthy, 3 when nothing runs, 1 in between."""
    settings = load_settings()
    if supervisor_pid(settings) is None:
        print("nothing is running; to start it:   make up")
        return 3
    state = read_state(settings.folders.processes / "state.json")["processes"]
    parts = {**state, **read_state(settings.folders.processes / "airflow.json")}
    print(f"{'PART':<18}{'STATE':<12}{'PROCESS':<10}RESTARTS")
    for name, part in parts.items():
        shown = "given up" if part["given_up"] else "running" if part["pid"] else "restarting"
        print(f"{name:<18}{shown:<12}{part['pid'] or '':<10}{part['restarts']}")
    healthy = _healthy(settings) and all(part["pid"] for part in parts.values())
    print(f"\n{settings.airflow_url}   {'all healthy' if healthy else 'not all healthy'}")
    return 0 if healthy else 1


def _healthy(settings: Settings) -> bool:
    api = AirflowApi(settings.airflow_url, "admin", settings.admin_password, seconds=10)
    try:
        local = local_dbt_cloud_healthy(settings) if settings.is_local else True
        return local and components_healthy(api)
    except (UserError, OSError):
        return False


def logs(service: str | None, lines: int, *, following: bool) -> int:
    settings = load_settings()
    files = sorted(settings.folders.logs.glob("*.log"))
    names = [file.stem for file in files]
    if service and service not in names:
        raise UserError(
            f"there is no log of {service}",
            f"There are logs of: {', '.join(names) or 'nothing yet'}.",
            ("make logs S=scheduler",),
        )
    chosen = [str(file) for file in files if service in {None, file.stem}]
    if not chosen:
        print("there is no log yet; to start:   make up")
        return 0
    tail = ["tail", f"--lines={lines}", *(["--follow=name"] if following else []), *chosen]
    return subprocess.run(tail, check=False).returncode


def run(dag_id: str) -> int:
    """Trigger, follow, prove; 0 only when both sides are green and agree."""
    settings = load_settings()
    api = AirflowApi(settings.airflow_url, "admin", settings.admin_password)
    dag_run = trigger(api, dag_id)
    print(f"{dag_id}: {dag_run.url}")
    follow(dag_run)
    proofs = gather(dag_run, dbt_cloud_api(settings))
    for proof in proofs:
        print("\nproof")
        print("\n".join(proof.lines()))
    if not proofs:
        print(f"\n{dag_id} is {dag_run.state}; it started no dbt Cloud run.")
    print_failures(dag_run)
    agree = all(check.holds for proof in proofs for check in proof.checks())
    return 0 if dag_run.state == "success" and agree else 1


def dbt_cloud_api(settings: Settings) -> DbtCloudApi:
    connection = read_connection(settings)
    bundle = settings.tls_bundle
    return DbtCloudApi(
        host=str(connection["host"]),
        account_id=int(str(connection["account_id"])),
        token=str(connection["token"]),
        ca_bundle=bundle if bundle.exists() else None,
    )


def load(month: str) -> int:
    settings = load_settings()
    command = [str(python("postgres")), "-m", "local_ingestion", "load", "--month", month]
    environment = {**base_environment(settings), **settings.warehouse_environment()}
    del environment[MARK]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def reset() -> int:
    settings = load_settings()
    if input(f"Delete all data below {settings.state}? Type yes: ") != "yes":
        print("nothing was deleted")
        return 1
    end_all(settings)
    started = time.monotonic()
    shutil.rmtree(settings.state, ignore_errors=True)
    print(f"deleted in {time.monotonic() - started:.1f} s; to start anew:   make up")
    return 0
