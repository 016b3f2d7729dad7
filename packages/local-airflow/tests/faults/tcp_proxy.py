"""The network between Airflow and dbt Cloud: a TCP proxy that can be told to behave badly."""

import contextlib
import itertools
import socket
import socketserver
import struct
import threading
import time
from dataclasses import dataclass


RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 s; closing then sends a reset
SECONDS_BETWEEN_LOOKS = 0.1


@dataclass(frozen=True)
class Network:
    """
    What happens to connections, those that are open already too.

    `is_cut`: each is reset. `is_half_open`: they stay open, and no byte arrives, either way.
    `latency`: seconds that what is answered is late. `reset_every`: so often a new one is reset.
    """

    is_cut: bool = False
    is_half_open: bool = False
    latency: float = 0
    reset_every: int = 0


class TcpProxy(socketserver.ThreadingTCPServer):
    """Listens on a free port and passes bytes on to `upstream_port`, both on 127.0.0.1."""

    daemon_threads = True

    def __init__(self, upstream_port: int) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.upstream_port = upstream_port
        self.network = Network()
        self.numbers = itertools.count(1)
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def close(self) -> None:
        self.shutdown()
        self.thread.join()
        self.server_close()

    def handle_error(self, _request: object, _client_address: object) -> None:
        """A connection that broke; that is the point."""


class Connection(socketserver.BaseRequestHandler):
    server: TcpProxy
    request: socket.socket

    def handle(self) -> None:
        every = self.server.network.reset_every
        if self.server.network.is_cut or (every and next(self.server.numbers) % every == 0):
            self._reset()
            return
        with socket.create_connection(("127.0.0.1", self.server.upstream_port)) as upstream:
            asking = threading.Thread(target=self._pass_on, args=(self.request, upstream))
            asking.start()
            self._pass_on(upstream, self.request, is_answer=True)
            asking.join()

    def _pass_on(
        self, source: socket.socket, target: socket.socket, is_answer: bool = False
    ) -> None:
        """Until one side has had enough, or the network is cut."""
        with contextlib.suppress(OSError):
            source.settimeout(SECONDS_BETWEEN_LOOKS)
            while data := self._next_bytes(source):
                time.sleep(self.server.network.latency if is_answer else 0)
                target.sendall(data)
        if self.server.network.is_cut:
            self._reset()
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _next_bytes(self, source: socket.socket) -> bytes:
        """Wait for some; none at all when there will be no more."""
        while not self.server.network.is_cut:
            if self.server.network.is_half_open:
                time.sleep(SECONDS_BETWEEN_LOOKS)
                continue
            with contextlib.suppress(TimeoutError):
                return source.recv(65536)
        return b""

    def _reset(self) -> None:
        with contextlib.suppress(OSError):
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.request.close()
