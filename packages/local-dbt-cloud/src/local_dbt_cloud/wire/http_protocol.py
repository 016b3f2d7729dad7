"""HTTP as uvicorn speaks it; what comes before a body has a limit, and a connection can be cut."""

import socket
import struct

from starlette.types import Receive, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


CUT = "local_dbt_cloud.cut"
# "On, zero seconds": closing throws away what was not sent and tells the other side with a reset.
LINGER_NOT = struct.pack("ii", 1, 0)


# Of the request line and the headers together; dbt Cloud's edge takes less.
LARGEST_HEAD = 64 * 1024
SECONDS_TO_READ_IT = 0.5


class HttpProtocol(HttpToolsProtocol):
    has_gone_on = False
    kept_bytes = 0

    def data_received(self, data: bytes) -> None:
        """
        Hang up on what never goes on: a head, the size of a chunk, headers behind a body.

        The parser would keep it in memory, piece by piece.
        """
        self.has_gone_on = False
        super().data_received(data)
        self.kept_bytes = 0 if self.has_gone_on else self.kept_bytes + len(data)
        if self.kept_bytes > LARGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("Invalid HTTP request received.")
            # An encrypted connection that is closed goes on reading until the client ends it.
            self.loop.call_later(SECONDS_TO_READ_IT, self.transport.abort)

    def on_headers_complete(self) -> None:
        self.has_gone_on = True
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > LARGEST_HEAD:
            # uvicorn answers 400 to what a callback raises, and hangs up.
            raise ValueError(size)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self.has_gone_on = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.has_gone_on = True
        super().on_message_complete()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {CUT: {"now": self.cut}}

    def cut(self) -> None:
        """Reset the TCP connection beneath the encryption."""
        connection = self.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        self.transport.abort()


async def cut_connection(scope: Scope, receive: Receive) -> None:
    """Cut it, and wait until it is: an answer would still find its way to a slow closer."""
    scope["extensions"][CUT]["now"]()
    while (await receive())["type"] != "http.disconnect":
        pass
