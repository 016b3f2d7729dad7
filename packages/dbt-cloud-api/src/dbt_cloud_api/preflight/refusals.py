"""
What dbt Cloud means when it refuses: the same status has several causes, and each its own cure.

Sources: the answers are recorded or documented as `docs/differences_from_dbt_cloud.md` grades
them; the one for a blocked address is in dbt's FAQ "I'm receiving a 403 error".
"""

import re
from urllib.parse import urlsplit

from dbt_cloud_api.client import Answer
from dbt_cloud_api.plain_text import one_line
from dbt_cloud_api.preflight.check import PreflightError, error
from dbt_cloud_api.preflight.tls import NETWORK


ADMIN = "an account admin of dbt Cloud"
SERVICE_TOKENS = "Account settings, API tokens, Service tokens"
SERVER_ERROR = 500
TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def refusal(name: str, answer: Answer, host: str) -> PreflightError | None:
    """Give what is wrong, or None for an answer to go on with: 200, and 404, which has places."""
    if 300 <= answer.status < 400:  # noqa: PLR2004 # HTTP's own numbers
        return _redirected(name, answer, host)
    if answer.body is None:
        return _not_dbt_cloud(name, answer, host)
    by_status = {401: _unauthorized, 403: _forbidden, 429: _too_many, 501: _not_implemented}
    if answer.status in by_status:
        return by_status[answer.status](name, answer, host)
    if answer.status >= SERVER_ERROR:
        return _trouble(name, answer, host)
    if answer.status in {200, 404}:
        return None
    return error(
        name,
        f"dbt Cloud answers {answer.status}",
        f"Its words: {answer.message or one_line(answer.text[:200])}",
        "make bundle packs everything a report needs.",
    )


def _unauthorized(name: str, answer: Answer, host: str) -> PreflightError:
    if "unpaid" in answer.message:
        return error(
            name,
            "the plan of this account has no API",
            f"dbt Cloud says: {answer.message}",
            "The API needs a paid plan (Starter, Team, Enterprise).",
            "Until then, use the local dbt Cloud: leave DBT_CLOUD_API_TOKEN empty.",
            ask=f"{ADMIN}, about the plan",
        )
    return error(
        name,
        f"{host} does not know this token",
        f"dbt Cloud says: {answer.message or answer.status} It says the same for a wrong, an "
        "expired and a deleted token, and for one of another region.",
        f"Is {host} the host in your browser's address bar? Each region knows its own tokens only.",
        "Paste the token once more, whole:   make setup",
        f"Make a new one in dbt Cloud: {SERVICE_TOKENS}.",
        ask=f"{ADMIN}, for a service token with the permission Job Admin",
    )


def _forbidden(name: str, answer: Answer, host: str) -> PreflightError:
    data = answer.data if isinstance(answer.data, dict) else {}
    if data.get("account_access_denied") or "Forbidden: Access denied" in answer.message:
        return error(
            name,
            "dbt Cloud does not let this network address in",
            f"It says: {answer.message} The account has IP restrictions, and the address that "
            "your network shows to the outside is not on its list.",
            "From the company's network or its VPN it may work.",
            "The list: Account settings, IP restrictions.",
            ask=f"{ADMIN}, to allow your network's address",
        )
    if "scoped to account" in answer.message:
        return error(
            name,
            "the token is for another account",
            f"dbt Cloud says: {answer.message}",
            "Copy the job's address from the browser once more:   make setup",
            f"Or make a token in that account: {SERVICE_TOKENS}.",
            ask=ADMIN,
        )
    return error(
        name,
        "the token has too few permissions for this",
        f"{host} says: {answer.message or answer.status}",
        f"Give it Job Admin, for this project: {SERVICE_TOKENS}.",
        ask=f"{ADMIN}, for the permission set of the token",
    )


def missing(name: str, found: str, answer: Answer, *remedies: str) -> PreflightError:
    """Say that a thing is not there; dbt Cloud also answers so when the token may not see it."""
    return error(
        name,
        found,
        f"dbt Cloud says: {answer.message or answer.status} It says the same for a thing that is "
        "not there and for one that this token may not see.",
        *remedies,
        ask=f"{ADMIN}, if the browser does show it",
    )


def _too_many(name: str, _answer: Answer, _host: str) -> PreflightError:
    return error(
        name,
        "this account has asked dbt Cloud too often",
        "It answers 429: more than 5,000 requests in a minute, from all programs of the account.",
        "Wait for five minutes, then:   make doctor",
        ask="whoever else uses the API of this account, if it comes back",
    )


def _not_implemented(name: str, answer: Answer, _host: str) -> PreflightError:
    return error(
        name,
        "the local dbt Cloud does not have this endpoint",
        f"It says: {answer.message}",
        "docs/differences_from_dbt_cloud.md lists what it has.",
    )


def _trouble(name: str, answer: Answer, _host: str) -> PreflightError:
    return error(
        name,
        f"dbt Cloud is in trouble: it answers {answer.status}",
        f"Its words: {answer.message or one_line(answer.text[:200])}",
        "Is it known?   https://status.getdbt.com",
        "Try once more in a minute:   make doctor",
        ask="dbt Labs' support, if the status page says nothing",
    )


def _redirected(name: str, answer: Answer, host: str) -> PreflightError:
    location = one_line(answer.headers.get("Location") or "")
    elsewhere = urlsplit(location).netloc
    if elsewhere and elsewhere != host:
        return error(
            name,
            f"{host} sends its callers to {elsewhere}",
            f"It answers {answer.status} with the address {location}. The token did not go there.",
            f"If that is your dbt Cloud, in .env:   DBT_CLOUD_HOST={elsewhere}",
            ask=ADMIN,
        )
    return _not_dbt_cloud(name, answer, host)


def _not_dbt_cloud(name: str, answer: Answer, host: str) -> PreflightError:
    title = TITLE.search(answer.text)
    words = " ".join(title[1].split()) if title else " ".join(answer.text.split())[:120]
    if answer.status >= SERVER_ERROR:
        return _trouble(name, answer, host)
    return error(
        name,
        f"what answers at {host} is not dbt Cloud's API",
        f"It answers {answer.status} with a page instead of JSON: {words or 'an empty one'}",
        "A page of a company's proxy or of a single sign-on looks like this.",
        "Compare the host with the address bar of your browser in dbt Cloud.",
        ask=NETWORK,
    )
