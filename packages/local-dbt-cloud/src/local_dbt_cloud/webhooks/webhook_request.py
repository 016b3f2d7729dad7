"""Sends one webhook to a client's endpoint and says what came of it."""

import hashlib
import hmac
import json
import socket
import ssl
import threading
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from local_dbt_cloud import VERSION
from local_dbt_cloud.store.webhook_store import Attempt
from local_dbt_cloud.wire.timestamps import now


# As documented: who answers later has not answered.
SECONDS_TO_ANSWER = 10.0
MAX_RESPONSE_BYTES = 10_000


def sign(secret: str, body: str) -> str:
    """Bare hexadecimal digits, without a scheme, as documented."""
    return hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()


def send(url: str, secret: str, body: str, trusted: ssl.SSLContext) -> Attempt:
    """Never raises: whatever goes wrong is what the attempt says. Redirects are not followed."""
    headers = {
        "Content-Type": "application/json",
        "Accept": "*/*",
        "User-Agent": f"local-dbt-cloud/{VERSION}",
        "Authorization": sign(secret, body),
    }
    moment, status, error, response = now(), 0, "", ""
    try:
        status, response = post(url, headers, body, trusted)
        if not 200 <= status < 300:  # noqa: PLR2004 - the codes of success
            error = f"the endpoint answered {status}"
    except (OSError, HTTPException, ValueError) as failure:
        error = f"{type(failure).__name__}: {failure}"
    return Attempt(moment, status, error, json.dumps(headers), response)


def post(url: str, headers: dict[str, str], body: str, trusted: ssl.SSLContext) -> tuple[int, str]:
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = connect(parts.scheme, parts.hostname or "", parts.port, trusted)
    # A timeout of the socket alone starts anew with every byte that a slow endpoint sends.
    deadline = threading.Timer(SECONDS_TO_ANSWER, cut, [connection])
    deadline.daemon = True
    deadline.start()
    try:
        connection.request("POST", path, body.encode(), headers)
        answer = connection.getresponse()
        return answer.status, answer.read(MAX_RESPONSE_BYTES).decode(errors="replace")
    finally:
        deadline.cancel()
        connection.close()


def connect(scheme: str, host: str, port: int | None, trusted: ssl.SSLContext) -> HTTPConnection:
    if scheme == "https":
        return HTTPSConnection(host, port, timeout=SECONDS_TO_ANSWER, context=trusted)
    return HTTPConnection(host, port, timeout=SECONDS_TO_ANSWER)


def cut(connection: HTTPConnection) -> None:
    with suppress(OSError):
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)
