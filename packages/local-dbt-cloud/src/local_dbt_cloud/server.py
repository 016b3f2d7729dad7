"""Listens, and stops when it is told to."""

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from dbt_cloud_api.user_error import UserError
from local_dbt_cloud.app import create_app
from local_dbt_cloud.certificates import ensure_certificates
from local_dbt_cloud.declared.jobs_file import read_jobs_file
from local_dbt_cloud.settings import ServerSettings
from local_dbt_cloud.wire.http_protocol import HttpProtocol
from local_dbt_cloud.wire.token_auth import WithoutToken


LOG = logging.getLogger("local_dbt_cloud")
# Requests are short; whoever stops the server waits five seconds for all of it.
SECONDS_FOR_OPEN_REQUESTS = 1
# Longer than clients keep an idle connection (httpx 5, aiohttp 15 seconds): who closes it first
# must be the client, or it may send a request in the moment in which the server hangs up.
SECONDS_FOR_IDLE_CONNECTIONS = 75


class Server(uvicorn.Server):
    """Ends with exit code 0 after SIGTERM: being stopped is no failure."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def serve(settings: ServerSettings, *, with_parent: bool = False) -> None:
    """
    Serve until SIGTERM or SIGINT; raise `UserError` for what keeps it from starting.

    `with_parent`: also until standard input ends, which it does when whoever started this server
    is gone, however it went.
    """
    log_without_token(settings.token)
    listener = listen(settings)
    ensure_certificates(settings.tls)
    app = create_app(settings, read_jobs_file(settings.jobs))
    config = uvicorn.Config(
        app,
        http=HttpProtocol,
        ssl_certfile=settings.tls / "server.pem",
        ssl_keyfile=settings.tls / "server.key",
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SECONDS_FOR_OPEN_REQUESTS,
        timeout_keep_alive=SECONDS_FOR_IDLE_CONNECTIONS,
    )
    LOG.info("local dbt Cloud at %s", settings.url)
    if with_parent:
        threading.Thread(target=stop_at_end_of_input, daemon=True).start()
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(Server(config).serve(sockets=[listener]))


def stop_at_end_of_input() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def log_without_token(token: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(WithoutToken("%(asctime)s %(message)s", token))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def listen(settings: ServerSettings) -> socket.socket:
    # The protocol by name: only then do asyncio and uvloop send small answers without the 40 ms
    # that TCP waits for more to send.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.listen_on, settings.port))
        listener.listen(512)
    except OSError as error:
        raise UserError(
            f"port {settings.port} is taken",
            f"Listening on {settings.listen_on}:{settings.port} gave: {error.strerror}.",
            (
                "make down   (when it is an earlier start of this project)",
                "or set LOCAL_DBT_CLOUD_PORT in .env to a free port",
            ),
        ) from None
    return listener
