"""The Authorization header: `Token …` and `Bearer …` are the same to dbt Cloud."""

from secrets import compare_digest

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from local_dbt_cloud.errors import InvalidTokenError, as_response


class TokenAuth:
    """Stands before every path under /api/, known or not, so that no route can forget it."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self.token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_api = scope["type"] == "http" and scope["path"].startswith("/api/")
        if is_api and not self._accepts(Headers(scope=scope).get("authorization", "")):
            await as_response(InvalidTokenError())(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _accepts(self, header: str) -> bool:
        scheme, _, token = header.strip().partition(" ")
        known = scheme.lower() in {"token", "bearer"}
        # Compared in constant time, and also when the scheme is wrong.
        return compare_digest(token.strip().encode(), self.token) and known
