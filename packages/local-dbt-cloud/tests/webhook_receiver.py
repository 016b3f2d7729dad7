"""An endpoint that webhooks are sent to: a real HTTP server that remembers what it was told."""

import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Delivery:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)

    def is_signed_with(self, secret: str) -> bool:
        """As the docs of dbt Cloud tell receivers to check it."""
        expected = hmac.new(secret.encode(), self.body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected, self.headers["authorization"])


@dataclass
class Receiver:
    """`answers` are the status codes of the next requests; after them all get 200."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    delay: float = 0
    deliveries: list[Delivery] = field(default_factory=list)

    def wait(self, until: Callable[[list[Delivery]], Any], seconds: float = 120) -> list[Delivery]:
        deadline = time.monotonic() + seconds
        while not until(self.deliveries):
            told = [delivery.content["eventType"] for delivery in self.deliveries]
            assert time.monotonic() < deadline, f"the receiver got {told}"
            time.sleep(0.01)
        return list(self.deliveries)

    def events(self, count: int) -> dict[str, Any]:
        """By type, the first of each event, once there are so many requests."""
        found: dict[str, Any] = {}
        for delivery in self.wait(lambda deliveries: len(deliveries) >= count):
            found.setdefault(delivery.content["eventType"], delivery.content)
        return found


@contextmanager
def receive(tls: Path | None = None) -> Iterator[Receiver]:
    """Serve on a free port, over TLS with the certificate in a folder when one is given."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.deliveries.append(Delivery(self.path, headers, body))
            time.sleep(receiver.delay)
            status = receiver.answers.pop(0) if receiver.answers else 200
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", receiver.url + "/elsewhere")
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"thanks")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tls / "server.pem", tls / "server.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
