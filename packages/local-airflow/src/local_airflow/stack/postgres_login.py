"""
Log in to PostgreSQL, and leave again: the one proof that it takes new connections.

Those that are open go on in a server that is stopping or frozen, so Airflow looks healthy for as
long as it needs no other. The standard library has no client, and psql is not at hand in both
modes; what a login takes of the protocol is little.

Source: https://www.postgresql.org/docs/17/protocol-flow.html, RFC 5802 and RFC 7677 (SCRAM).
"""

import hashlib
import hmac
import secrets
import socket
import struct
from base64 import b64decode, b64encode

from local_airflow.stack.settings import StackSettings


VERSION_3 = 196608
SCRAM = b"SCRAM-SHA-256"
DONE, ASKS_FOR_SCRAM, GOES_ON, LAST = 0, 10, 11, 12


class RefusedError(OSError):
    """PostgreSQL answered, and lets nobody in: its own words."""


def try_database(settings: StackSettings, seconds: float) -> None:
    """Open a new connection as Airflow does; raise `OSError` when there is none to be had."""
    log_in(settings.postgres_port, "airflow", settings.secrets.airflow_database_password, seconds)


def log_in(port: int, role: str, password: str, seconds: float) -> None:
    """
    Log in to the database that is called as its role, on this machine.

    Raises `RefusedError`, or another `OSError` when nothing comes back in time.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        startup = b"".join(word.encode() + b"\0" for word in ("user", role, "database", role, ""))
        connection.sendall(_framed(struct.pack("!I", VERSION_3) + startup))
        try:
            _answer_until_ready(connection, _Scram(password))
        except (struct.error, ValueError, KeyError):
            raise RefusedError("who answers there is no PostgreSQL") from None
        connection.sendall(b"X" + _framed(b""))


def _answer_until_ready(connection: socket.socket, scram: "_Scram") -> None:
    while True:
        kind, body = _read(connection)
        if kind == b"E":
            raise RefusedError(_words(body))
        if kind == b"Z":
            return
        if kind == b"R":
            reply = scram.reply(struct.unpack("!I", body[:4])[0], body[4:])
            if reply:
                connection.sendall(b"p" + _framed(reply))


class _Scram:
    """The client's half of SCRAM-SHA-256: neither side shows the other the password."""

    def __init__(self, password: str) -> None:
        self.password = password.encode()
        # PostgreSQL goes by the role of the startup, and reads no name here.
        self.first = f"n=,r={secrets.token_urlsafe(18)}".encode()

    def reply(self, request: int, said: bytes) -> bytes:
        if request in {DONE, LAST}:
            return b""
        if request == ASKS_FOR_SCRAM and SCRAM in said.split(b"\0"):
            first = b"n,," + self.first
            return SCRAM + b"\0" + struct.pack("!I", len(first)) + first
        if request == GOES_ON:
            return self._proof(said)
        raise RefusedError(f"it asks for a login of kind {request}, which it was not set up for")

    def _proof(self, said: bytes) -> bytes:
        told = dict(part.split(b"=", 1) for part in said.split(b","))
        salted = hashlib.pbkdf2_hmac(
            "sha256", self.password, b64decode(told[b"s"]), int(told[b"i"])
        )
        key = hmac.digest(salted, b"Client Key", "sha256")
        bare = b"c=biws,r=" + told[b"r"]
        signed = b",".join([self.first, said, bare])
        signature = hmac.digest(hashlib.sha256(key).digest(), signed, "sha256")
        proof = bytes(one ^ other for one, other in zip(key, signature, strict=True))
        return bare + b",p=" + b64encode(proof)


def _framed(body: bytes) -> bytes:
    return struct.pack("!I", len(body) + 4) + body


def _read(connection: socket.socket) -> tuple[bytes, bytes]:
    head = _exactly(connection, 5)
    return head[:1], _exactly(connection, struct.unpack("!I", head[1:])[0] - 4)


def _exactly(connection: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        more = connection.recv(count - len(got))
        if not more:
            raise ConnectionError("it closed the connection without a word")
        got += more
    return got


def _words(body: bytes) -> str:
    """Take severity and message out of an error: fields that each begin with a letter."""
    fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
    return f"{fields.get(b'S', 'ERROR')}: {fields.get(b'M', '')}"
