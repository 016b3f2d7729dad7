"""How this process reaches a host: directly or through a proxy, and whom it trusts."""

import os
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from dbt_cloud_api.client import https_proxy, is_socks
from dbt_cloud_api.preflight.check import error


HTTPS_PORT = 443
HTTP_PORT = 80

# As `requests` reads them, with which the provider's tasks reach dbt Cloud; aiohttp in the
# triggerer, and OpenSSL here, read SSL_CERT_FILE.
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
EXTRA = "EXTRA_CA_FILE"


@dataclass(frozen=True, slots=True)
class Proxy:
    host: str
    port: int
    authorization: str = field(default="", repr=False)

    @classmethod
    def parse(cls, address: str) -> Self:
        """Read the address of a proxy, with or without a scheme, perhaps with a login in it."""
        if is_socks(address):
            raise error(
                "proxy",
                "the proxy before dbt Cloud speaks SOCKS",
                "Of Airflow's ways to dbt Cloud, aiohttp in the triggerer cannot use one.",
                "Set HTTPS_PROXY to a proxy that speaks HTTP: http://proxy.example.com:3128",
                "If dbt Cloud can be reached directly:   unset HTTPS_PROXY ALL_PROXY",
                ask="whoever runs your network",
            )
        parts = urlsplit(address if "://" in address else f"http://{address}")
        try:
            host, port = parts.hostname, parts.port or HTTP_PORT
        except ValueError:
            host, port = None, 0
        if not host:
            raise error(
                "proxy",
                "HTTPS_PROXY is not the address of a proxy",
                "It looks like http://proxy.example.com:3128, with a number as the port.",
                "Correct HTTPS_PROXY in your shell's settings, or:   unset HTTPS_PROXY",
                ask="whoever runs your network",
            )
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        basic = f"Basic {b64encode(login.encode()).decode()}" if parts.username else ""
        return cls(host, port, basic)


@dataclass(frozen=True, slots=True)
class Route:
    """
    `ca_file` takes the place of the system's own certificates, if it is not None.

    `extra_ca_file` is trusted besides; inside the stack it is part of `ca_file` already.
    """

    host: str
    port: int
    proxy: Proxy | None
    ca_file: Path | None
    ca_variable: str
    extra_ca_file: Path | None = None

    @property
    def shown(self) -> str:
        return self.host if self.port == HTTPS_PORT else f"{self.host}:{self.port}"

    @property
    def first_hop(self) -> tuple[str, int]:
        return (self.proxy.host, self.proxy.port) if self.proxy else (self.host, self.port)


def find_route(address: str, process_environment: Mapping[str, str] = os.environ) -> Route:
    """
    Decide as the provider does: HTTPS_PROXY and NO_PROXY count, and the first CA variable.

    `address` is a host with or without a port. Raises `PreflightError` for a setting that cannot
    work: a CA file that is not there, a proxy that is none.
    """
    host, _, port = address.partition(":")
    proxied = https_proxy(address)
    variable = next((name for name in CA_VARIABLES if process_environment.get(name)), "")
    extra = EXTRA if process_environment.get(EXTRA) else ""
    return Route(
        host=host,
        port=int(port or HTTPS_PORT),
        proxy=Proxy.parse(proxied) if proxied else None,
        ca_file=_existing(variable, process_environment) if variable else None,
        ca_variable=variable,
        extra_ca_file=_existing(extra, process_environment) if extra else None,
    )


def _existing(variable: str, process_environment: Mapping[str, str]) -> Path:
    path = Path(process_environment[variable])
    if not path.exists():
        raise error(
            "TLS",
            f"{variable} names a file that is not there: {path}",
            "Without it no certificate can be trusted, so every call fails.",
            f"Correct {variable} in your shell's settings, or:   unset {variable}",
            "If it is a file below .local/, start again:   make up",
        )
    return path
