"""A server that gives the answers a test writes down, and a proxy in front of it."""

import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme


ACCOUNT, PROJECT, JOB, ENVIRONMENT = 70471823545829, 2, 3, 4
TOKEN = "dbtc_a-token-of-the-tests"


def envelope(status: int, message: str = "Success!", data: Any = None) -> tuple[int, Any]:
    """dbt Cloud's wrapper round an answer."""
    return status, {"status": {"code": status, "user_message": message}, "data": data}


def a_job(**changes: Any) -> dict[str, Any]:
    return {
        "id": JOB,
        "name": "Nightly",
        "project_id": PROJECT,
        "environment_id": ENVIRONMENT,
        "state": 1,
        "deactivated": False,
        "deactivation_reason": None,
        "execute_steps": ["dbt build"],
        "generate_docs": False,
        "run_generate_sources": False,
        "triggers": {"schedule": False, "github_webhook": False, "on_merge": False},
        "schedule": {"cron": "0 6 * * *"},
        "job_completion_trigger_condition": None,
    } | changes


def healthy() -> dict[str, tuple[int, Any]]:
    """The answers of an account in which everything is as it should be."""
    account = f"/api/v2/accounts/{ACCOUNT}"
    project = f"/api/v3/accounts/{ACCOUNT}/projects/{PROJECT}"
    return {
        f"{account}/": envelope(200, data={"name": "Acme", "plan": "enterprise"}),
        f"{account}/jobs/{JOB}/": envelope(200, data=a_job()),
        f"{account}/jobs/{JOB}/run/": (405, {"detail": 'Method "GET" not allowed.'}),
        f"{project}/": envelope(200, data={"name": "Flights"}),
        f"{project}/environments/{ENVIRONMENT}/": envelope(200, data={"name": "Production"}),
    }


@dataclass
class ScriptedDbtCloud:
    """
    `answers` maps a path to a status with JSON (or text); `requests` is what came in.

    A path with a method before it (`POST /api/…`) is for that method only.
    """

    certificates: trustme.CA
    answers: dict[str, tuple[int, Any]] = field(default_factory=healthy)
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    certificate: trustme.LeafCert | None = None
    scheme: str = "https"
    port: int = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}"

    @property
    def job_url(self) -> str:
        path = f"deploy/{ACCOUNT}/projects/{PROJECT}/jobs/{JOB}"
        return f"https://localhost:{self.port}/{path}"

    def answer(self, path: str, status: int, message: str = "", data: Any = None) -> None:
        """Answer a path below the account in this way."""
        version = "v3" if path.startswith("projects") else "v2"
        self.answers[f"/api/{version}/accounts/{ACCOUNT}/{path}"] = envelope(status, message, data)

    def answer_all(self, status: int, content: Any, **headers: str) -> None:
        """Answer every path in this way."""
        self.answers = {"*": (status, content)}
        self.headers |= headers

    @contextmanager
    def serve(self) -> Iterator["ScriptedDbtCloud"]:
        server = self._server()
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def _server(self) -> ThreadingHTTPServer:
        if self.scheme == "http":
            return ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server = TlsServer(("127.0.0.1", 0), _handler(self))
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate = self.certificate or self.certificates.issue_cert("localhost")
        certificate.configure_cert(server.context)
        return server


class TlsServer(ThreadingHTTPServer):
    context: ssl.SSLContext

    def finish_request(self, request: Any, client_address: Any) -> None:
        # In the request's own thread: a handshake that fails must not stop the server, and a
        # client that hangs up in one is what some tests are about.
        with suppress(OSError), self.context.wrap_socket(request, server_side=True) as trusted:
            self.RequestHandlerClass(trusted, client_address, self)


def _handler(script: ScriptedDbtCloud) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply()

        def do_POST(self) -> None:
            self._reply()

        def _reply(self) -> None:
            # What is left unread when the connection closes would take the answer with it.
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.partition("?")[0]
            script.requests.append((self.command, path, self.headers.get("Authorization", "")))
            missing = envelope(404, "The requested resource was not found.")
            fallback = script.answers.get("*", missing)
            both = script.answers.get(path, fallback)
            status, content = script.answers.get(f"{self.command} {path}", both)
            body = content if isinstance(content, str) else json.dumps(content)
            self.send_response_only(status)
            headers = {"Date": formatdate(usegmt=True)} | script.headers
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class ProxyServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True


@contextmanager
def proxy(refusal: str = "", known: Mapping[str, str] = {}) -> Iterator[tuple[int, list[str]]]:
    """
    A proxy that opens tunnels, or refuses; gives its port and what it was asked.

    `known` has the addresses of names that nobody but the proxy knows.
    """
    asked: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked.append(self.rfile.readline().decode().strip())
            while (line := self.rfile.readline().strip()) != b"":
                asked.append(line.decode())
            if refusal:
                self.wfile.write(f"HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n".encode())
                return
            host, _, port = asked[0].split()[1].partition(":")
            with socket.create_connection((known.get(host, host), int(port))) as upstream:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=_pump, args=(upstream, self.request))
                back.start()
                _pump(self.request, upstream)
                back.join()

    with ProxyServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1], asked
        finally:
            server.shutdown()
            thread.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
