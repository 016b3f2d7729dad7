"""
A TLS proxy before dbt Cloud, at which something can be made to happen to one chosen request.

It knows which process has sent a request, so that a test can kill exactly that one: right before
dbt Cloud sees the request, or right after it has acted on it and before the answer is on its way.
"""

import contextlib
import http.client
import re
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil


@dataclass
class Blow:
    """Falls once, on the first request that matches. `strike` is given the sender's process id."""

    request: str
    after: bool
    strike: Callable[[int], Any]
    has_fallen: threading.Event = field(default_factory=threading.Event)


@dataclass
class Answer:
    """
    What is answered instead of dbt Cloud, to the next `times` requests that match.

    `delivered_with` is a file: when it is there, the request reaches dbt Cloud after all.
    """

    request: str
    status: int
    body: str = "<html>gateway</html>"
    headers: tuple[tuple[str, str], ...] = ()
    times: int = 1
    carried_out: bool = False
    delay: float = 0
    delivered_with: Path | None = None


class Chokepoint(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, tls: Path, upstream_port: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream_port = upstream_port
        self.accepting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.accepting.load_cert_chain(tls / "server.pem", tls / "server.key")
        self.trusting = ssl.create_default_context(cafile=tls / "bundle.pem")
        self.blow: Blow | None = None
        self.answers: list[Answer] = []
        self.requests: list[str] = []

    def strike_at(self, request: str, strike: Callable[[int], Any], *, after: bool) -> Blow:
        self.blow = Blow(request, after, strike)
        return self.blow

    def count(self, request: str) -> int:
        return sum(1 for each in self.requests if re.search(request, each))

    def answer_of(self, line: str) -> Answer | None:
        """The answer that is meant for a request, and that is now used up by one."""
        for answer in self.answers:
            if answer.times and re.search(answer.request, line):
                answer.times -= 1
                return answer
        return None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed leaves a broken connection; that is the point."""
        if not isinstance(sys.exception(), ConnectionError | ssl.SSLError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    server: Chokepoint

    def setup(self) -> None:
        # Here, in the connection's own thread: one slow handshake must not hold up the others.
        self.request = self.server.accepting.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self) -> None:
        super().finish()
        self.request.close()

    def forward(self) -> None:
        line = f"{self.command} {self.path}"
        self.server.requests.append(line)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        blow = self.server.blow
        falls = blow is not None and re.search(blow.request, line) is not None
        if falls:
            self.server.blow = None
        if falls and not blow.after:
            self.fall(blow)
        instead = self.server.answer_of(line)
        if instead is None or instead.carried_out:
            status, headers, answer = self.ask(body)
        elif instead.delivered_with is not None:
            late = (instead.delivered_with, body)
            threading.Thread(target=self.deliver, args=late, daemon=True).start()
        if instead is not None:
            time.sleep(instead.delay)
            status, headers, answer = instead.status, instead.headers, instead.body.encode()
        if falls and blow.after:
            self.fall(blow)
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in {"transfer-encoding", "connection", "date", "server"}:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_DELETE = forward  # noqa: N815 # the names that http.server looks for

    def ask(self, body: bytes) -> tuple[int, Iterable[tuple[str, str]], bytes]:
        upstream = http.client.HTTPSConnection(
            "localhost", self.server.upstream_port, timeout=30, context=self.server.trusting
        )
        try:
            upstream.request(self.command, self.path, body or None, dict(self.headers))
            answer = upstream.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            upstream.close()

    def deliver(self, gate: Path, body: bytes) -> None:
        """Carry a request out late, and tell nobody; never, when nobody opens the gate."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if gate.exists():
                self.ask(body)
                return
            time.sleep(0.01)

    def fall(self, blow: Blow) -> None:
        blow.strike(sender_of(self.client_address[1], to=self.server.server_address[1]))
        blow.has_fallen.set()

    def log_message(self, *_arguments: Any) -> None:
        """Keep the terminal quiet."""


@contextlib.contextmanager
def chokepoint(tls: Path, upstream_port: int) -> Iterator[Chokepoint]:
    """One that serves until the end of the block."""
    server = Chokepoint(tls, upstream_port)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sender_of(port: int, to: int) -> int:
    """The process that has the connection from one port to the other, both on this machine."""
    for each in psutil.net_connections("tcp4"):
        # Of a connection that has just been closed the system no longer knows the process, and
        # its port may already be that of another connection, to somebody else.
        if each.pid and each.raddr and (each.laddr.port, each.raddr.port) == (port, to):
            return each.pid
    raise LookupError(f"no process has the connection from port {port}")
