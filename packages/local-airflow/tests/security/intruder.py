"""
What another user of the machine finds out, run as that user: files and ports.

    python3 intruder.py <folder> <port>...    prints JSON: readable files, and what each port said
"""

import json
import os
import socket
import ssl
import sys
from pathlib import Path


SECONDS = 3
# Each begins a talk in another way: HTTP, PostgreSQL's start message without a password.
HTTP = b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n"
_START = b"\0\3\0\0user\0airflow\0database\0airflow\0\0"
POSTGRES = (len(_START) + 4).to_bytes(4, "big") + _START


def readable(top: str) -> list[str]:
    found = []
    for folder, _, names in os.walk(top):
        for file in (Path(folder) / name for name in names):
            try:
                file.open("rb").close()
            except OSError:
                continue
            found.append(str(file))
    return found


def said(port: int) -> dict[str, str]:
    answers = {}
    for kind, message in (("http", HTTP), ("postgres", POSTGRES)):
        answers[kind] = talk(port, message)
    answers["https"] = talk(port, HTTP, encrypted=True)
    return answers


def talk(port: int, message: bytes, *, encrypted: bool = False) -> str:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        connection = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        with context.wrap_socket(connection) if encrypted else connection as talking:
            talking.sendall(message)
            return talking.recv(65536).decode(errors="replace")
    except OSError as error:
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    ports = {port: said(int(port)) for port in sys.argv[2:]}
    print(json.dumps({"readable": readable(sys.argv[1]), "ports": ports}))
