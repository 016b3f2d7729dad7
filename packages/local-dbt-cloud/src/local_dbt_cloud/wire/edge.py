"""What happens to a request before any route sees it: access log, `//`, foreign hosts, HEAD."""

import logging
import time
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local_dbt_cloud.wire.errors import NotFoundError, as_response
from local_dbt_cloud.wire.request_journal import RequestJournal, noted_path


LOG = logging.getLogger("local_dbt_cloud.access")


class AccessLog:
    """One line a request: method, path, status, milliseconds. No query, no header: no token."""

    def __init__(self, app: ASGIApp, journal: RequestJournal) -> None:
        self.app, self.journal = app, journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, since = time.perf_counter(), self.journal.begun
        status: int | None = None

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, note_status)
        finally:
            milliseconds = (time.perf_counter() - start) * 1000
            path = noted_path(scope)
            LOG.info("%s %s %s %.1f ms", scope["method"], path, status or "cut", milliseconds)
            if not path.startswith("/_local/"):
                fault = scope.get("local_dbt_cloud.fault")
                method = scope["method"]
                self.journal.note(method, path, status, milliseconds, fault, since=since)


class HeadAsGet:
    """
    A HEAD is a GET whose answer stays behind, as in the framework that dbt Cloud is built with.

    The innermost layer: only the routes see a GET, and the server leaves out the body.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self.app(scope, receive, send)


class Edge:
    """
    Refuses `//` in a path, as dbt Cloud's edge does, and pages for people under a foreign name.

    A web site that points its own name to 127.0.0.1 must not be taken for this server; it cannot
    change the name that the browser sends.
    """

    def __init__(self, app: ASGIApp, host_names: Collection[str]) -> None:
        self.app = app
        self.host_names = frozenset(host_names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self.app
        if scope["type"] == "http":
            if "//" in scope["path"]:
                app = as_response(NotFoundError())
            elif scope["path"].startswith(("/deploy/", "/_local/")) and not self._knows(scope):
                app = PlainTextResponse("This host name is not served.\n", 403)
        await app(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        host = Headers(scope=scope).get("host", "")
        return host.rpartition(":")[0].strip("[]") in self.host_names or host in self.host_names
