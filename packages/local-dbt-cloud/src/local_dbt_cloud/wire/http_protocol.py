"""HTTP as uvicorn speaks it, and one word more: end this connection without an answer."""

import socket
import struct

from starlette.types import Receive, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


CUT = "local_dbt_cloud.cut"
# "On, zero seconds": closing throws away what was not sent and tells the other side with a reset.
LINGER_NOT = struct.pack("ii", 1, 0)


class HttpProtocol(HttpToolsProtocol):
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
