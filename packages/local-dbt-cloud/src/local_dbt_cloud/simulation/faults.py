"""
Faults on demand: what happens to the next requests that match.

Set through `/_local/faults/`, which `docs/local_controls.md` describes. A fault stands before the
token is looked at, as a load balancer does; `/_local/` itself never fails.
"""

import asyncio
import math
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local_dbt_cloud.wire.errors import (
    ApiError,
    InvalidTokenError,
    NotFoundError,
    OtherAccountError,
    as_response,
)
from local_dbt_cloud.wire.http_protocol import cut_connection


Kind = Literal["status", "html", "truncated", "reset", "lost_answer", "slow", "rate_limit"]
Seconds = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]
WITH_STATUS = frozenset({"status", "html"})
OWN_WORDS: dict[int, Callable[[], ApiError]] = {
    401: InvalidTokenError,
    403: OtherAccountError,
    404: NotFoundError,
    500: ApiError,
}
# Whoever debugs a client sees at once that this answer was asked for.
MARK = {"X-Local-Dbt-Cloud": "fault"}
RAW_MARK = tuple((name.lower().encode(), value.encode()) for name, value in MARK.items())


class Fault(BaseModel):
    """
    What a client of `/_local/faults/` asks for.

    `after` lets that many matching requests pass first; `times` null means until it is removed.
    `carried_out`: the request is carried out all the same, only its answer is replaced.
    """

    model_config = ConfigDict(strict=True, extra="forbid")

    kind: Kind = "status"
    method: Annotated[str, Field(pattern=r"^([A-Z]+|\*)$")] = "*"
    path: Annotated[str, Field(min_length=1, max_length=500)] = "*"
    times: Annotated[int, Field(ge=1, le=1_000_000)] | None = 1
    after: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    carried_out: bool = False
    delay_seconds: Seconds = 0
    cool_down_seconds: Seconds = 300
    retry_after: bool = True

    @model_validator(mode="after")
    def check_combination(self) -> Self:
        if self.status is not None and self.kind not in WITH_STATUS:
            raise ValueError(f"status does not go with the kind {self.kind}")
        if self.carried_out and self.kind not in WITH_STATUS:
            raise ValueError(f"carried_out does not go with the kind {self.kind}")
        if self.kind == "slow" and not self.delay_seconds:
            raise ValueError("a slow answer needs delay_seconds")
        return self

    def matches(self, method: str, path: str) -> bool:
        """Either slash form of a path is the same request."""
        forms = (path.removesuffix("/"), path.removesuffix("/") + "/")
        return self.method in {"*", method} and any(fnmatchcase(p, self.path) for p in forms)


@dataclass
class ActiveFault:
    id: int
    fault: Fault
    passed: int = 0
    hits: int = 0
    cooled_down_at: float | None = None

    @property
    def is_over(self) -> bool:
        if self.fault.kind == "rate_limit":
            return self.cooled_down_at is not None and time.monotonic() >= self.cooled_down_at
        return self.fault.times is not None and self.hits >= self.fault.times

    def take(self) -> bool:
        """Count a matching request; answer whether it is to fail."""
        if self.passed < self.fault.after:
            self.passed += 1
            return False
        self.hits += 1
        if self.cooled_down_at is None:
            self.cooled_down_at = time.monotonic() + self.fault.cool_down_seconds
        return True

    def seconds_left(self) -> int:
        return math.ceil(max((self.cooled_down_at or 0) - time.monotonic(), 0))

    def view(self) -> dict[str, Any]:
        left = None if self.fault.times is None else max(self.fault.times - self.hits, 0)
        counted = self.fault.kind != "rate_limit"
        return {
            "id": self.id,
            **self.fault.model_dump(),
            "hits": self.hits,
            "left": left if counted else None,
        }


@dataclass
class Faults:
    """The active ones, oldest first; the first that matches takes the request."""

    active: list[ActiveFault] = field(default_factory=list)
    last_id: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fault: Fault) -> ActiveFault:
        with self.lock:
            self.last_id += 1
            self.active.append(ActiveFault(self.last_id, fault))
            return self.active[-1]

    def remove(self, fault_id: int) -> bool:
        with self.lock:
            kept = [each for each in self.active if each.id != fault_id]
            found = len(kept) < len(self.active)
            self.active = kept
            return found

    def clear(self) -> None:
        with self.lock:
            self.active = []

    def list(self) -> list[dict[str, Any]]:
        """Those that have not worked themselves out."""
        with self.lock:
            self.active = [each for each in self.active if not each.is_over]
            return [each.view() for each in self.active]

    def take(self, method: str, path: str) -> ActiveFault | None:
        with self.lock:
            for each in self.active:
                if not each.is_over and each.fault.matches(method, path):
                    return each if each.take() else None
        return None


class FaultInjection:
    """Between the edge and the token."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self.app, self.faults = app, faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_local/"):
            await self.app(scope, receive, send)
            return
        active = self.faults.take(scope["method"], scope["path"])
        if active is None:
            await self.app(scope, receive, send)
            return
        scope["local_dbt_cloud.fault"] = active.id
        await self._fail(active, scope, receive, send)

    async def _fail(self, active: ActiveFault, scope: Scope, receive: Receive, send: Send) -> None:
        fault = active.fault
        if fault.kind == "slow":
            await self.app(scope, receive, delayed(send, fault.delay_seconds))
            return
        if fault.kind == "truncated":
            await asyncio.sleep(fault.delay_seconds)
            await self.app(scope, receive, halved(send))
            return
        if fault.carried_out or fault.kind == "lost_answer":
            await self.app(scope, receive, swallow)
        else:
            await read_whole(receive)
        await asyncio.sleep(fault.delay_seconds)
        if fault.kind in {"reset", "lost_answer"}:
            await cut_connection(scope, receive)
        else:
            await answer(active)(scope, receive, send)


def delayed(send: Send, seconds: float) -> Callable[[Message], Awaitable[None]]:
    """The request is carried out at once; a client that gives up has started what it asked for."""

    async def send_late(message: Message) -> None:
        if message["type"] == "http.response.start":
            await asyncio.sleep(seconds)
        await send(message)

    return send_late


def halved(send: Send) -> Callable[[Message], Awaitable[None]]:
    """What a gateway makes of an answer that it could not read to the end: HTTP is well formed."""
    head: Message = {}
    body = b""

    async def send_half(message: Message) -> None:
        nonlocal head, body
        if message["type"] == "http.response.start":
            head = message
            return
        body += message.get("body", b"")
        if message.get("more_body"):
            return
        half = body[: len(body) // 2]
        headers = [each for each in head["headers"] if each[0].lower() != b"content-length"]
        length = (b"content-length", str(len(half)).encode())
        await send({**head, "headers": [*headers, length, *RAW_MARK]})
        await send({"type": "http.response.body", "body": half})

    return send_half


async def read_whole(receive: Receive) -> None:
    """Otherwise a client may fail while it still sends, now and then."""
    while (await receive()).get("more_body"):
        pass


async def swallow(_message: Message) -> None:
    """Sends nothing."""


def answer(active: ActiveFault) -> Response:
    fault = active.fault
    if fault.kind == "rate_limit":
        return rate_limit(active)
    status = fault.status or (HTTPStatus.BAD_GATEWAY if fault.kind == "html" else 503)
    if fault.kind == "html":
        return html_page(status)
    error = OWN_WORDS[status]() if status in OWN_WORDS else in_plain_words(status)
    response = as_response(error)
    response.headers.update(MARK)
    return response


def rate_limit(active: ActiveFault) -> JSONResponse:
    error = in_plain_words(HTTPStatus.TOO_MANY_REQUESTS)
    response = as_response(error)
    response.headers.update(MARK)
    if active.fault.retry_after:
        response.headers["Retry-After"] = str(active.seconds_left())
    return response


def in_plain_words(status: int) -> ApiError:
    error = ApiError()
    error.code, error.user_message = status, f"{phrase(status)}."
    return error


def html_page(status: int) -> HTMLResponse:
    """What a load balancer answers in the place of the API."""
    title = f"{status} {phrase(status)}"
    page = (
        f"<html>\n<head><title>{title}</title></head>\n"
        f"<body>\n<center><h1>{title}</h1></center>\n</body>\n</html>\n"
    )
    return HTMLResponse(page, status, headers=MARK)


def phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
