"""An HTTP server of the tests' own that keeps every JSON message it is sent."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextlib.contextmanager
def receiver(elsewhere: str = "") -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Its address, and the messages so far. It sends its callers on to `elsewhere`, if given."""
    messages: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            messages.append(json.loads(self.rfile.read(length)))
            self.send_response(307 if elsewhere else 200)
            if elsewhere:
                self.send_header("Location", elsewhere)
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            """Keep the terminal quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}/told", messages
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
