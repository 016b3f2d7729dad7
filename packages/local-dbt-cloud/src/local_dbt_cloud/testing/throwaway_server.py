"""
A local dbt Cloud of one's own: its folder, port, certificates and token are new, and go with it.

Needs nothing but the standard library here; the server itself runs in the environment that
`make up` installs for it, or, where that is missing, with this Python.
"""

import contextlib
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any, Self

from dbt_cloud_api.client import BAD_REQUEST, Answer, send
from dbt_cloud_api.user_error import UserError


REPOSITORY = Path(__file__).resolve().parents[5]
OWN_PYTHON = REPOSITORY / ".local/local-dbt-cloud/bin/python"
SECONDS_TO_START = 120.0
SECONDS_BETWEEN_LOOKS = 0.02
FIRST_PORT, PORTS = 20_000, 12_000


class RefusedError(Exception):
    """The server answered, but not with success; the text is its answer."""


@dataclass
class ThrowawayServer:
    folder: Path
    port: int
    token: str = field(repr=False)
    process: subprocess.Popen[bytes]
    context: ssl.SSLContext | None = None

    @classmethod
    def start(cls, jobs: Path, process_env: Mapping[str, str]) -> Self:
        """Answer a server that is ready; raise `UserError` with its own words if it is not."""
        folder, port = Path(tempfile.mkdtemp(prefix="local-dbt-cloud-")), free_port()
        token = f"dbtc_{secrets.token_urlsafe()}"
        own = {
            "LOCAL_DBT_CLOUD_LISTEN_ON": "127.0.0.1",
            "LOCAL_DBT_CLOUD_PORT": str(port),
            "LOCAL_DBT_CLOUD_URL": f"https://localhost:{port}",
            "LOCAL_DBT_CLOUD_STATE": str(folder / "state"),
            "LOCAL_DBT_CLOUD_TLS": str(folder / "tls"),
            "LOCAL_DBT_CLOUD_TOKEN": token,
            "LOCAL_DBT_CLOUD_JOBS": str(jobs),
        }
        python = OWN_PYTHON if OWN_PYTHON.exists() else Path(sys.executable)
        with (folder / "server.log").open("wb") as log:
            process = subprocess.Popen(
                [str(python), "-m", "local_dbt_cloud", "serve", "--with-parent"],
                cwd=REPOSITORY,
                env={**os.environ, **process_env, **own},
                # It ends when this pipe does, however this process ends.
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        server = cls(folder, port, token, process)
        server._wait_until_healthy()
        return server

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def ca_bundle(self) -> Path:
        """Certifi's roots and this server's authority."""
        return self.folder / "tls/bundle.pem"

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON that the server answers; raise `RefusedError` for anything but success."""
        answer = self.answer(method, path, body)
        if answer.status >= BAD_REQUEST:
            raise RefusedError(f"{method} {path} gave {answer.status}: {answer.text}")
        return answer.json

    def answer(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Whatever it is."""
        if self.context is None:
            self.context = ssl.create_default_context(cafile=self.ca_bundle)
        host = f"localhost:{self.port}"
        return send(host, path, self.token, self.context, method=method, body=body)

    def stop(self) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + SECONDS_TO_START
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                self.ask("GET", "/_local/health")
            except (OSError, HTTPException):
                self.context = None
                time.sleep(SECONDS_BETWEEN_LOOKS)
            else:
                return
        said = self.log.strip() or "It said nothing."
        self.stop()
        raise UserError(
            "the local dbt Cloud did not start",
            said.removeprefix("error: "),
            ("make up   (installs what it needs)",),
        )


def free_port() -> int:
    """
    A port that nobody listens on, and that the system gives to nobody until it is used.

    Whoever connects, or listens on port 0, gets one from 32768 on: on a busy machine one of those
    may be taken between its choice and its use.
    """
    while True:
        port = FIRST_PORT + secrets.randbelow(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
