"""Another user of the machine reads no secret, and gets in nowhere."""

import json
import shutil
import subprocess
from pathlib import Path

import psutil
import psycopg
import pytest
from security.planted import PLANTED


NOBODY = "65534"


@pytest.fixture(scope="module")
def intruder(searched, must_be_root, tmp_path_factory):
    """What nobody, as whom it runs, has found out."""
    program = searched.stack.root.parent / "intruder.py"
    shutil.copy(Path(__file__).with_name("intruder.py"), program)
    as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    ports = [str(port) for port in listening(searched.stack)]
    done = subprocess.run(
        [*as_nobody, "/usr/bin/python3", str(program), str(searched.stack.root.parent), *ports],
        capture_output=True,
        check=True,
        timeout=120,
    )
    return json.loads(done.stdout)


def listening(stack):
    """Every port that a process of the stack listens on, also those that nobody speaks of."""
    return sorted({each.laddr.port for each in listeners(stack)})


def listeners(stack):
    """PostgreSQL hides whose it is from `processes`; its port is known."""
    ours, named = set(stack.processes()), set(stack.ports.values())
    return [
        each
        for each in psutil.net_connections("tcp")
        if each.status == psutil.CONN_LISTEN and (each.pid in ours or each.laddr.port in named)
    ]


def test_no_readable_file_has_a_secret(searched, intruder):
    """What others may read of the folder is the repository, which has none."""
    secrets = [*PLANTED.values(), *(each.strip() for each in searched.stack.secrets())]
    holding = {
        name
        for name in intruder["readable"]
        for secret in secrets
        if secret.encode() in Path(name).read_bytes()
    }

    assert holding == set()


def test_nothing_of_the_state_is_readable(searched, intruder):
    """Databases, logs, runs, keys and snapshots are their owner's."""
    outside = {
        name for name in intruder["readable"] if not name.startswith(f"{searched.stack.root}/")
    }

    assert {Path(name).name for name in outside} == {"intruder.py", "authority.pem"}


def test_no_port_answers_with_what_is_inside(searched, intruder):
    """Each asks for a login first; none says more than that it is there."""
    reached = {int(port) for port in intruder["ports"]}
    assert reached >= {searched.stack.ports[name] for name in ("AIRFLOW_PORT", "POSTGRES_PORT")}
    for port, answers in intruder["ports"].items():
        for kind, answer in answers.items():
            first = answer.splitlines()[0] if answer.splitlines() else ""
            assert not logged_in(kind, answer), (port, kind, answer[:300])
            assert "Traceback" not in answer, (port, kind, first)


def logged_in(kind: str, answer: str) -> bool:
    if kind == "postgres":
        # R with 0 means that no password is asked for.
        return answer.startswith("R\0\0\0\x08\0\0\0\0")
    return any(secret in answer for secret in PLANTED.values()) or "Nightly" in answer


def test_everything_listens_on_this_machine_only(searched):
    """No port of the stack can be reached from the network."""
    assert {each.laddr.ip for each in listeners(searched.stack)} <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("database", ["airflow", "postgres", "template1"])
def test_warehouse_role_is_kept_in_its_database(searched, database):
    """A dbt project has its password: with it, Airflow's connections cannot be read."""
    password = (searched.stack.state / "secrets/warehouse_password").read_text().strip()
    port = searched.stack.ports["POSTGRES_PORT"]
    who = {"host": "127.0.0.1", "port": port, "user": "warehouse", "password": password}

    assert psycopg.connect(**who, dbname="warehouse").close() is None
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(**who, dbname=database)


def test_no_command_line_has_a_secret(searched):
    """Every user can read command lines."""
    secrets = [*PLANTED.values(), *(each.strip() for each in searched.stack.secrets())]
    lines = "\n".join(searched.stack.processes().values())

    assert not [secret for secret in secrets if secret in lines]
