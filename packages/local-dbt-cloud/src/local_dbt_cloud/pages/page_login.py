"""
Who may see what is under /deploy/: whoever has a link of `/_local/links/`, or the token.

The key of a link is changed for a cookie, so that the address that stays in the browser has none.
Anybody else is told how to get such a link to the very page that was asked for.
"""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local_dbt_cloud.pages.page_frame import STRICT, render
from local_dbt_cloud.settings import ServerSettings
from local_dbt_cloud.wire.page_keys import SECONDS, PageKeys
from local_dbt_cloud.wire.token_auth import ApiToken


KEY = "key"


class PageLogin:
    """Stands before every path under /deploy/, known or not: no route can forget it."""

    def __init__(
        self, app: ASGIApp, settings: ServerSettings, keys: PageKeys, token: ApiToken
    ) -> None:
        self.app, self.settings, self.keys, self.token = app, settings, keys, token
        # Browsers give a cookie to every port of a name: two servers must not take each other's.
        self.cookie = f"__Secure-local_dbt_cloud_{settings.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self.app
        if scope["type"] == "http" and scope["path"].startswith("/deploy/"):
            app, send = self._instead(Request(scope)) or app, strictly(send)
        await app(scope, receive, send)

    def _instead(self, request: Request) -> Response | None:
        """What this visitor gets in the place of the page."""
        page = quote(request.scope["path"])
        key = request.query_params.get(KEY)
        if key and self.keys.accept("link", key):
            return self._let_in(page)
        if not self._is_in(request):
            return self._how_to_get_in(page, is_late=key is not None)
        return RedirectResponse(page, 303) if key else None

    def _is_in(self, request: Request) -> bool:
        cookie = request.cookies.get(self.cookie, "")
        return self.keys.accept("cookie", cookie) or self.token.accepts(
            request.headers.get("authorization", "")
        )

    def _let_in(self, page: str) -> Response:
        answer = RedirectResponse(page, 303)
        answer.set_cookie(
            self.cookie,
            self.keys.make("cookie"),
            max_age=SECONDS["cookie"],
            path="/deploy/",
            secure=True,
            httponly=True,
            samesite="lax",
        )
        return answer

    def _how_to_get_in(self, page: str, *, is_late: bool) -> Response:
        airflow = self.settings.airflow_url
        return render(
            "way_in.html",
            401,
            heading="This link is too old" if is_late else "This page asks who you are",
            what=f"{self.settings.url}{page}",
            airflow=f"{airflow}/dbt-cloud/open?page={quote(page, safe='')}" if airflow else "",
        )


def strictly(send: Send) -> Send:
    """Whatever is answered, a refusal too, a browser may do nothing with it but show it."""

    async def send_strictly(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message["headers"]}
            message["headers"] = [
                *message["headers"],
                *(
                    (name.lower().encode(), value.encode())
                    for name, value in STRICT.items()
                    if name.lower().encode() not in given
                ),
            ]
        await send(message)

    return send_strictly
