"""
What can go wrong between Airflow and dbt Cloud, each with its own words and its own side.

One function turns an answer of the API into one of these; everything that talks to dbt Cloud,
synchronous or not, raises nothing else.
"""

import email.utils
import time
from collections.abc import Mapping
from typing import Any

from dbt_cloud_api.client import BAD_REQUEST, own_words, redirection


MOVED = {301, 308}
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TOO_MANY_REQUESTS, SERVER_ERRORS = 401, 403, 404, 429, 500


class DbtCloudApiError(Exception):
    """
    A call that did not give what was asked for.

    `is_passing`: waiting may cure it. `may_have_acted`: dbt Cloud may have done what was asked,
    although its answer never arrived; such a request must not simply be repeated.
    """

    side = "dbt Cloud"
    is_passing = False
    may_have_acted = False
    retry_after: float | None = None


class CredentialsRefusedError(DbtCloudApiError):
    """401 or 403: the token is wrong, revoked, expired, or may not do this."""

    side = "credentials"


class MovedError(DbtCloudApiError):
    """301 or 308: dbt Cloud is elsewhere for good; the host in the Airflow connection is wrong."""

    side = "credentials"


class MissingError(DbtCloudApiError):
    """404: the account, job or run is not there, or not for this token."""


class RequestRefusedError(DbtCloudApiError):
    """Any other 4xx: dbt Cloud understood the request and will not do it."""

    side = "Airflow"


class RateLimitedError(DbtCloudApiError):
    """429: nothing was done; the account's limit of requests is used up."""

    is_passing = True


class UnavailableError(DbtCloudApiError):
    """5xx, or an answer that is not the API's: a gateway's page, or the way to one (302)."""

    is_passing = True
    may_have_acted = True


class NotConnectedError(DbtCloudApiError):
    """No connection came about, so dbt Cloud never saw the request."""

    side = "network"
    is_passing = True


class AnswerLostError(DbtCloudApiError):
    """The connection broke, or time ran out, after the request was sent."""

    side = "network"
    is_passing = True
    may_have_acted = True


def error_of(status: int, what: str, body: Any, headers: Mapping[str, str]) -> DbtCloudApiError:
    """Name the error of an answer with a status of 300 or more, in dbt Cloud's own words."""
    own = own_words(body) or redirection(headers)
    words = f"{what}: dbt Cloud answered {status}" + (f": {own}" if own else "")
    if status in {UNAUTHORIZED, FORBIDDEN}:
        return CredentialsRefusedError(words)
    if status in MOVED:
        return MovedError(words)
    if status == NOT_FOUND:
        return MissingError(words)
    if status == TOO_MANY_REQUESTS:
        return _with_retry_after(RateLimitedError(words), headers)
    if status >= SERVER_ERRORS or status < BAD_REQUEST:
        return _with_retry_after(UnavailableError(words), headers)
    return RequestRefusedError(words)


def _with_retry_after(error: DbtCloudApiError, headers: Mapping[str, str]) -> DbtCloudApiError:
    error.retry_after = read_retry_after(headers.get("Retry-After"))
    return error


def read_retry_after(value: str | None) -> float | None:
    """Read `Retry-After`: seconds, or an HTTP date. None when it is neither."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())
