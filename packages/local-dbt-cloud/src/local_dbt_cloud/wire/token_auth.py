"""The Authorization header: `Token …` and `Bearer …` are the same to dbt Cloud."""

import logging
from secrets import compare_digest

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from local_dbt_cloud.wire.errors import InvalidTokenError, as_response


# What the local controls tell everybody: a health probe, and a tool that imports the document
# by its address, can send no token; neither answer depends on what the account holds.
OPEN = frozenset({"/_local/health", "/_local/openapi.json"})


class ApiToken:
    """A revoked one is refused by the API; the local controls still know it, to bring it back."""

    def __init__(self, text: str) -> None:
        self.text = text.encode()
        self.is_revoked = False

    def accepts(self, header: str) -> bool:
        scheme, _, token = header.strip().partition(" ")
        known = scheme.lower() in {"token", "bearer"}
        # Compared in constant time, and also when the scheme is wrong.
        return compare_digest(token.strip().encode(), self.text) and known


class TokenAuth:
    """Stands before every path under /api/ and /_local/, known or not: no route can forget it."""

    def __init__(self, app: ASGIApp, token: ApiToken) -> None:
        self.app = app
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._may_pass(scope):
            await as_response(InvalidTokenError())(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _may_pass(self, scope: Scope) -> bool:
        path = scope["path"]
        is_api = path.startswith("/api/")
        is_control = path.startswith("/_local/") and path.removesuffix("/") not in OPEN
        if not is_api and not is_control:
            return True
        accepted = self.token.accepts(Headers(scope=scope).get("authorization", ""))
        return accepted and not (is_api and self.token.is_revoked)


class WithoutToken(logging.Formatter):
    """Whatever is logged, tracebacks too, the token is not in it."""

    def __init__(self, layout: str, token: str) -> None:
        super().__init__(layout)
        self.token = token

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace(self.token, "*****")
