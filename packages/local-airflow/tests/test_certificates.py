"""Behind a proxy that opens every connection: whom uv, pip and git trust."""

import base64
import hashlib
import http.server
import ssl
import subprocess
import sys
import threading
import zipfile
from contextlib import contextmanager

import pytest
import trustme
from repository_copy import copy_repository, launcher_path

from local_airflow.base.certificates import joined
from local_airflow.base.install import find_uv


# In place of the machine's own store, which a test must not write.
WITH_STORE = """
import sys
from local_airflow.base import certificates
certificates.SYSTEM_STORES = (sys.argv.pop(1),)
from local_airflow.command_line import main
sys.exit(main())
"""


def wheel(folder, name, files):
    """Write a wheel of these files, and give its name and digest."""
    record = f"{name}-1.dist-info/RECORD"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"
    kind = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    about = {f"{name}-1.dist-info/METADATA": metadata, f"{name}-1.dist-info/WHEEL": kind}
    rows = []
    file = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in {**files, **about}.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
            rows.append(f"{path},sha256={digest.decode()},{len(text.encode())}\n")
            entry = zipfile.ZipInfo(path)
            entry.external_attr = 0o100755 << 16
            archive.writestr(entry, text)
        archive.writestr(record, "".join([*rows, f"{record},,\n"]))
    return file.name, hashlib.sha256(file.read_bytes()).hexdigest()


@contextmanager
def served(folder, authority):
    """Serve a folder over TLS, with a certificate that the authority has signed; give its port."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_):
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """A company's authority, in a file, and what its proxy makes of the package index."""
    folder = tmp_path_factory.mktemp("company")
    authority = trustme.CA(organization_name="Acme Inspection")
    authority.cert_pem.write_to_path(str(folder / "company.pem"))
    # What is fetched as uv is the real one of this machine.
    program = f'#!/bin/sh\nexec "{find_uv()}" "$@"\n'
    contents = {"uv": {"uv-1.data/scripts/uv": program}, "tiny": {"tiny.py": "WORD = 1\n"}}
    for name, files in contents.items():
        page = folder / "index" / name
        page.mkdir(parents=True)
        file, digest = wheel(page, name, files)
        (page / "index.html").write_text(f'<a href="{file}#sha256={digest}">{file}</a>\n')
        (folder / f"{name}.lock").write_text(f"{name}==1 --hash=sha256:{digest}\n")
    with served(folder / "index", authority) as port:
        yield folder, f"https://127.0.0.1:{port}/"


@pytest.fixture
def clone(company, tmp_path):
    """A clone in which nothing is installed yet, and each environment is one tiny package."""
    folder, _ = company
    copy = copy_repository(tmp_path / "clone")
    for lock in (copy / "requirements").glob("*.lock"):
        lock.write_text((folder / "tiny.lock").read_text())
    (copy / "requirements/installer.lock").write_text((folder / "uv.lock").read_text())
    return copy


@pytest.fixture
def with_uv(clone):
    """The clone on a machine that has uv."""
    (clone / "bin").mkdir()
    (clone / "bin/uv").symlink_to(find_uv())
    return clone


def install(clone, index, *launcher, **shell):
    """Run the real command with nothing but this index, and a shell that says no more."""
    return subprocess.run(
        [sys.executable, *(launcher or ("-m", "local_airflow")), "install", "docs"],
        cwd=clone,
        env={
            "PATH": str(clone / "bin"),
            "HOME": str(clone.parent),
            "PYTHONPATH": launcher_path(clone),
            "PIP_INDEX_URL": index,
            "PIP_RETRIES": "0",
            "UV_DEFAULT_INDEX": index,
            "UV_HTTP_RETRIES": "0",
            "UV_NO_CONFIG": "1",
            "UV_CACHE_DIR": str(clone.parent / "cache"),
            **shell,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


class TestInstallation:
    def test_stranger_is_refused(self, with_uv, company):
        """Who signed the index's certificate is unknown: it is said how to trust it."""
        done = install(with_uv, company[1])

        assert done.returncode == 1
        assert "UnknownIssuer" in done.stderr
        assert "In .env:   EXTRA_CA_FILE=company.pem" in done.stderr
        assert "Traceback" not in done.stderr

    def test_extra_ca_file_is_trusted(self, clone, company):
        """EXTRA_CA_FILE counts for pip, which fetches uv, and for uv; also in a broken .env."""
        (clone / ".env").write_text(f"broken\nEXTRA_CA_FILE={company[0] / 'company.pem'}\n")
        done = install(clone, company[1])

        assert done.returncode == 0, done.stdout + done.stderr
        assert "fetching uv with pip" in done.stdout
        assert list((clone / ".local/docs").glob("lib/*/site-packages/tiny.py"))

    def test_store_of_the_machine_is_trusted(self, with_uv, company):
        """An authority in the system's store alone is enough: nothing needs to be set."""
        store = str(company[0] / "company.pem")
        done = install(with_uv, company[1], "-c", WITH_STORE, store)

        assert done.returncode == 0, done.stdout + done.stderr
        assert list((with_uv / ".local/docs").glob("lib/*/site-packages/tiny.py"))

    def test_what_a_shell_says_wins(self, with_uv, company, tmp_path):
        """Somebody who trusts one authority only, by the program's own variable, still does."""
        other = tmp_path / "other.pem"
        trustme.CA().cert_pem.write_to_path(str(other))
        store = str(company[0] / "company.pem")
        done = install(with_uv, company[1], "-c", WITH_STORE, store, SSL_CERT_FILE=str(other))

        assert done.returncode == 1
        assert "UnknownIssuer" in done.stderr


def test_each_certificate_once(tmp_path):
    """Of files with the same certificate, whatever their line ends, one stays; text goes."""
    one, other = trustme.CA().cert_pem.bytes(), trustme.CA().cert_pem.bytes()
    (tmp_path / "a.pem").write_bytes(b"# an authority\n" + one)
    (tmp_path / "b.pem").write_bytes(one.replace(b"\n", b"\r\n") + other)
    files = [tmp_path / name for name in ("a.pem", "b.pem", "missing.pem")]

    assert joined(files) == one.strip() + b"\n" + other.strip() + b"\n"
