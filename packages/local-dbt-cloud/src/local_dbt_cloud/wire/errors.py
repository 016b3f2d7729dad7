"""Every refusal, in dbt Cloud's own words, and the handlers that put them on the wire."""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Match

from local_dbt_cloud.wire.request_journal import noted_path


LOG = logging.getLogger("local_dbt_cloud")


class ApiError(Exception):
    """One answer that is not a success; `data` is null but for a 400."""

    code = 500
    user_message = "There was a server error."
    developer_message: str | None = ""
    data: Any = None
    headers: Mapping[str, str] | None = None

    def body(self) -> dict[str, Any]:
        return {
            "status": {
                "code": self.code,
                "is_success": False,
                "user_message": self.user_message,
                "developer_message": self.developer_message,
            },
            "data": self.data,
            "extra": {},
            "error_code": None,
        }


class InvalidRequestError(ApiError):
    """`data` names each field and what is wrong with it."""

    code = 400
    user_message = "The request was invalid. Please double check the provided data and try again."

    def __init__(self, **data: Any) -> None:
        super().__init__(data)
        self.data = data


class InvalidDataError(InvalidRequestError):
    """How newer endpoints say it: the validator's whole text, for developers."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.developer_message = f"Invalid request data: {text}"
        self.data = None


class InvalidTokenError(ApiError):
    code = 401
    user_message = "Invalid token."
    developer_message = None

    def body(self) -> dict[str, Any]:
        # The recorded 401 is shorter than the other errors.
        whole = super().body()
        return {"status": whole["status"], "data": None}


class OtherAccountError(ApiError):
    code = 403
    user_message = "Access denied: Token is not scoped to account."


class NotFoundError(ApiError):
    code = 404
    user_message = "The requested resource was not found."


class NotImplementedHereError(ApiError):
    """dbt Cloud may have this endpoint; this server has not. Never a fake success."""

    code = 501
    headers: Mapping[str, str] = {"X-Local-Dbt-Cloud": "not-implemented"}

    def __init__(self, method: str, path: str) -> None:
        super().__init__(method, path)
        self.user_message = f"{method} {path} is not implemented by the local dbt Cloud."
        self.developer_message = "See docs/differences_from_dbt_cloud.md."


def install_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(ApiError, answer_refusal)
    app.add_exception_handler(RequestValidationError, answer_unreadable_path)
    app.add_exception_handler(HTTPException, answer_unrouted)
    app.add_exception_handler(Exception, answer_surprise)


def as_response(error: ApiError) -> JSONResponse:
    return JSONResponse(error.body(), error.code, error.headers)


async def answer_refusal(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101 - Starlette's handler type is wider than it calls
    return as_response(error)


async def answer_unreadable_path(_request: Request, _error: Exception) -> Response:
    # Bodies and queries are read by this package; what FastAPI reads is the ids in the path.
    return as_response(NotFoundError())


async def answer_unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as in answer_refusal
    path = request.url.path
    if not path.startswith(("/api/", "/_local/")):
        return PlainTextResponse(f"{error.detail}\n", error.status_code, error.headers)
    if error.status_code == 405:  # noqa: PLR2004 - the code says what it is
        detail = {"detail": f'Method "{request.method}" not allowed.'}
        return JSONResponse(detail, 405, {"Allow": ", ".join(sorted(allowed_methods(request)))})
    if path.startswith("/_local/"):
        return as_response(NotFoundError())
    return as_response(NotImplementedHereError(request.method, path))


def allowed_methods(request: Request) -> set[str]:
    """All that is implemented at the first path that fits; the framework names one route's only."""
    matching = [
        route
        for route in request.app.state.routes
        if route.include_in_schema and route.matches(request.scope)[0] is not Match.NONE
    ]
    return {m for route in matching if route.path == matching[0].path for m in route.methods}


async def answer_surprise(request: Request, error: Exception) -> Response:
    LOG.error("%s %s failed", request.method, noted_path(request.scope), exc_info=error)
    return as_response(ApiError())
