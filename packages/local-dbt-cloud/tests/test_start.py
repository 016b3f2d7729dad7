"""Starting: certificates, health, and every foreseeable mistake."""

import socket
import ssl
import stat
import subprocess
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from server_process import (
    ACCOUNT,
    JOB,
    REPOSITORY,
    SERVER_PYTHON,
    declare,
    job,
)

from local_dbt_cloud import certificates


def run_command(server, command, **process_env):
    return subprocess.run(
        [SERVER_PYTHON, "-m", "local_dbt_cloud", command],
        cwd=REPOSITORY,
        env={**server.process_env, **process_env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def prepared(make_server):
    """A server that has not been started."""
    return make_server(declare(job(JOB, "Build", "dbt build")))


def assert_three_parts(done, *texts):
    """What is wrong, why, what to type; exit code 1; no traceback."""
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.strip().split("\n\n")) == 3, done.stderr
    assert "→ " in done.stderr
    for text in texts:
        assert text in done.stderr


class TestMistakes:
    @pytest.mark.parametrize(
        ("name", "value", "text"),
        [
            ("LOCAL_DBT_CLOUD_TOKEN", "", "LOCAL_DBT_CLOUD_TOKEN is not set"),
            ("LOCAL_DBT_CLOUD_PORT", "99999", "LOCAL_DBT_CLOUD_PORT=99999 is not a port"),
            ("LOCAL_DBT_CLOUD_DBT", "/nowhere/dbt", "there is no dbt at /nowhere/dbt"),
            ("LOCAL_DBT_CLOUD_JOBS", "/nowhere.yml", "/nowhere.yml does not declare"),
            ("LOCAL_DBT_CLOUD_CAUSE_REQUIRED", "maybe", "neither true nor false"),
            ("LOCAL_DBT_CLOUD_STATE", "/dev/null/state", "cannot be opened"),
            ("LOCAL_DBT_CLOUD_TLS", "/dev/null/tls", "no certificate can be written"),
            ("WAREHOUSE_HOST", "", "WAREHOUSE_HOST is not set"),
            ("WAREHOUSE_PORT", "x", "WAREHOUSE_PORT=x is not a port"),
        ],
    )
    def test_setting(self, prepared, name, value, text):
        """A setting that cannot work stops the start and is named."""
        assert_three_parts(run_command(prepared, "serve", **{name: value}), text)

    def test_taken_port(self, prepared):
        """A port that somebody else listens on is named before anything else happens."""
        with socket.create_server(("127.0.0.1", prepared.port)):
            done = run_command(prepared, "serve")

        assert_three_parts(done, f"port {prepared.port} is taken", "make down")
        assert not (prepared.folder / "state").exists()

    def test_broken_jobs_file(self, prepared):
        """What is wrong in dbt_cloud_jobs.yml is said with its place."""
        path = prepared.folder / "dbt_cloud_jobs.yml"
        path.write_text(path.read_text().replace("dbt build", "echo hello"))

        assert_three_parts(run_command(prepared, "serve"), "execute_steps.0", "echo hello")

    def test_broken_state(self, prepared):
        """A file that is no SQLite database is said to be none."""
        (prepared.folder / "state").mkdir()
        (prepared.folder / "state/dbt_cloud.sqlite").write_text("no database " * 100)

        assert_three_parts(run_command(prepared, "serve"), "file is not a database")

    def test_unknown_command(self, prepared):
        """A wrong word shows how to use the program."""
        done = run_command(prepared, "sing")

        assert (done.returncode, done.stderr.split()[0]) == (2, "usage:")


class TestHealth:
    def test_running_server(self, prepared):
        """One line and exit code 0; the body says who and what answers."""
        prepared.start()
        done = run_command(prepared, "health")
        body = prepared.client.get("/_local/health").json()
        prepared.stop()

        assert (done.returncode, done.stdout) == (0, f"healthy: account {ACCOUNT}, 1 jobs\n")
        assert body == {
            "service": "local-dbt-cloud",
            "status": "healthy",
            "version": "0.1.0",
            "account_id": ACCOUNT,
            "jobs": 1,
            "state": str(prepared.folder / "state"),
        }

    def test_no_server(self, prepared):
        """One line and exit code 1."""
        done = run_command(prepared, "health")

        assert done.returncode == 1
        assert done.stdout.startswith("unhealthy: ")
        assert done.stdout.count("\n") == 1
        assert done.stderr == ""


def sign_for(name, key, ca, ca_key):
    """What a thief of the authority's key would make."""
    try:
        served = x509.IPAddress(ip_address(name))
    except ValueError:
        served = x509.DNSName(name)
    return (
        certificates.begin("a thief's", certificates.CA_NAME, key)
        .add_extension(x509.SubjectAlternativeName([served]), critical=False)
        .sign(ca_key, SHA256())
    )


class TestCertificates:
    def test_made_once(self, prepared):
        """The second call keeps what the first made; keys are for the owner alone."""
        first, second = (run_command(prepared, "certificates").stdout for _ in range(2))
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode)
            for path in (prepared.folder / "tls").iterdir()
        }

        assert (first.split(":")[0], second.split(":")[0]) == ("made", "kept")
        assert modes == {
            "server.key": 0o600,
            "ca.pem": 0o644,
            "server.pem": 0o644,
            "bundle.pem": 0o644,
        }

    def test_broken_ones_are_made_anew(self, prepared):
        """Half a certificate does not keep the server from starting."""
        run_command(prepared, "certificates")
        (prepared.folder / "tls/server.pem").write_text("half")

        assert run_command(prepared, "certificates").stdout.startswith("made: ")

    def test_both_worlds_are_trusted(self, prepared):
        """The bundle holds the public authorities besides ours."""
        run_command(prepared, "certificates")
        context = ssl.create_default_context(cafile=prepared.bundle)

        names = {
            dict(part[0] for part in ca["subject"]).get("commonName")
            for ca in context.get_ca_certs()
        }
        assert "Local dbt Cloud CA" in names
        assert len(names) > 50

    def test_nobody_can_sign_with_the_authority(self, prepared):
        """Its key is never written; an earlier one goes, and the authority that it signed for."""
        folder = prepared.folder / "tls"
        run_command(prepared, "certificates")
        before = (folder / "ca.pem").read_text()
        (folder / "ca.key").write_text("a key")

        assert run_command(prepared, "certificates").stdout.startswith("made: ")
        assert not (folder / "ca.key").exists()
        assert (folder / "ca.pem").read_text() != before

    @pytest.mark.parametrize(
        ("name", "accepted"),
        [
            *((name, True) for name in ("localhost", "127.0.0.1", "::1", "local-dbt-cloud")),
            ("host.docker.internal", True),
            *((name, False) for name in ("cloud.getdbt.com", "ab123.us1.dbt.com", "127.0.0.2")),
        ],
    )
    def test_authority_speaks_for_these_names_only(self, tmp_path, name, accepted):
        """A certificate for another name is refused, whoever has signed it with that key."""
        authority, certificate = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        ca = certificates.sign_ca(authority)
        signed = sign_for(name, certificate, ca, authority)
        files = {"ca.pem": ca, "leaf.pem": signed}
        for file, content in files.items():
            (tmp_path / file).write_bytes(content.public_bytes(Encoding.PEM))
        command = ["openssl", "verify", "-CAfile", "ca.pem", "leaf.pem"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

        assert (done.returncode == 0) is accepted, done.stderr
        assert accepted or "permitted subtree violation" in done.stderr

    @pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "local-dbt-cloud"])
    def test_strict_clients_accept_the_names(self, prepared, name):
        """Every name is in the certificate, also for a client as strict as Python 3.13."""
        prepared.start()
        context = ssl.create_default_context(cafile=prepared.bundle)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        with (
            socket.create_connection(("127.0.0.1", prepared.port), timeout=60) as plain,
            context.wrap_socket(plain, server_hostname=name) as encrypted,
        ):
            version = encrypted.version()
        prepared.stop()

        assert version == "TLSv1.3"


def test_only_the_owner_reads_the_state(fresh_server):
    """Logs and profiles are nobody else's business."""
    server = fresh_server(job(JOB, "Build", "dbt build"))
    mode = stat.S_IMODE((server.folder / "state").stat().st_mode)

    assert mode == 0o700
