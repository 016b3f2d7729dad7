"""Open a connection to dbt Cloud, and say in words which part of it failed."""

import socket
import ssl
from http.client import HTTPException, HTTPResponse
from typing import Any

from dbt_cloud_api.preflight.check import PreflightError, error
from dbt_cloud_api.preflight.route import Proxy, Route


SECONDS_TO_CONNECT = 15

NETWORK = "whoever runs your network"

# OpenSSL's numbers for a certificate that is refused (X509_V_ERR_…).
NOT_YET_VALID, EXPIRED = 9, 10
UNKNOWN_ISSUER = frozenset({18, 19, 20, 21})
WRONG_NAME = frozenset({62, 64})

PUBLIC_DOMAINS = (".getdbt.com", ".dbt.com")


def resolve(route: Route) -> str:
    """Give an address of the first hop. Behind a proxy, the proxy looks the rest up."""
    name, port = route.first_hop
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except socket.gaierror as refused:
        raise _no_address(route, name, refused) from None
    return str(found[0][4][0])


def _no_address(route: Route, name: str, refused: socket.gaierror) -> PreflightError:
    if route.proxy:
        return error(
            "proxy",
            f"the proxy {name} has no address",
            f"HTTPS_PROXY names it; looking it up gave: {refused.strerror}.",
            "Correct HTTPS_PROXY in your shell's settings, or:   unset HTTPS_PROXY",
            ask=NETWORK,
        )
    if refused.errno == socket.EAI_AGAIN:
        return error(
            "name",
            f"no name server answers for {name}",
            f"Looking it up gave: {refused.strerror}. The network is down, or a VPN is off.",
            f"Try:   getent hosts {name}",
            ask=NETWORK,
        )
    return error(
        "name",
        f"{name} has no address",
        f"Looking it up gave: {refused.strerror}.",
        "Compare it with the address bar of your browser in dbt Cloud.",
        "It stands in .env, in DBT_CLOUD_JOB_URL or DBT_CLOUD_HOST. To paste it anew:   make setup",
        ask=f"{NETWORK}, if the browser does reach it",
    )


def connect(route: Route) -> socket.socket:
    """Open TCP, and where there is a proxy, its tunnel."""
    name, port = route.first_hop
    try:
        opened = socket.create_connection((name, port), timeout=SECONDS_TO_CONNECT)
    except OSError as refused:
        raise _no_connection(route, refused) from None
    if route.proxy is None:
        return opened
    try:
        _open_tunnel(opened, route, route.proxy)
    except BaseException:
        opened.close()
        raise
    return opened


def _no_connection(route: Route, refused: OSError) -> PreflightError:
    name, port = route.first_hop
    why = "nobody answered in time" if isinstance(refused, TimeoutError) else refused.strerror
    if route.proxy:
        return error(
            "proxy",
            f"the proxy {name}:{port} does not answer",
            f"HTTPS_PROXY names it; connecting gave: {why}.",
            "Correct HTTPS_PROXY in your shell's settings, or:   unset HTTPS_PROXY",
            ask=NETWORK,
        )
    return error(
        "connection",
        f"{route.shown} does not answer",
        f"Its name is known, but connecting to port {port} gave: {why}.",
        "If your network lets programs out only through a proxy, set HTTPS_PROXY; or use the VPN.",
        f"Port {port} to {route.host} must be open for this machine.",
        ask=NETWORK,
    )


def _open_tunnel(opened: socket.socket, route: Route, proxy: Proxy) -> None:
    target = f"{route.host}:{route.port}"
    login = f"Proxy-Authorization: {proxy.authorization}\r\n" if proxy.authorization else ""
    opened.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{login}\r\n".encode())
    answer = HTTPResponse(opened, method="CONNECT")
    try:
        answer.begin()
    except (OSError, HTTPException) as broken:
        raise _refused_by_proxy(route, proxy, "no HTTP", repr(broken)) from None
    if answer.status == 200:  # noqa: PLR2004 # HTTP's own number
        return
    raise _refused_by_proxy(route, proxy, str(answer.status), answer.reason)


def _refused_by_proxy(route: Route, proxy: Proxy, status: str, reason: str) -> PreflightError:
    where = f"the proxy {proxy.host}:{proxy.port}"
    if status == "407":
        return error(
            "proxy",
            f"{where} wants a login",
            f"It answered 407 {reason}.",
            "Put the login into the address:   HTTPS_PROXY=http://name:password@host:port",
            ask=NETWORK,
        )
    if status == "403":
        return error(
            "proxy",
            f"{where} does not let this machine reach {route.shown}",
            f"It answered 403 {reason}.",
            f"Ask that {route.host} be allowed; NO_PROXY={route.host} goes around the proxy.",
            ask=NETWORK,
        )
    return error(
        "proxy",
        f"{where} does not open the way to {route.shown}",
        f"It answered: {status} {reason}.",
        f"If {route.host} is reached without it:   NO_PROXY={route.host}",
        ask=NETWORK,
    )


def start_tls(opened: socket.socket, route: Route) -> ssl.SSLSocket:
    """Take the certificate, or say why not. The connection is closed when it is refused."""
    context = trust(route)
    try:
        return context.wrap_socket(opened, server_hostname=route.host)
    except ssl.SSLCertVerificationError as refused:
        raise _refused_certificate(route, refused) from None
    except (ssl.SSLError, OSError) as broken:
        raise _no_tls(route, broken) from None
    finally:
        # A no-op once the socket belongs to TLS.
        opened.close()


def trust(route: Route) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(route.ca_file) if route.ca_file else None)
        if route.extra_ca_file:
            context.load_verify_locations(cafile=str(route.extra_ca_file))
    except (ssl.SSLError, OSError) as broken:
        raise error(
            "TLS",
            f"{route.ca_variable} names a file without certificates: {route.ca_file}",
            f"Reading it gave: {broken}.",
            "It must hold certificates in PEM: -----BEGIN CERTIFICATE-----",
        ) from None
    return context


def _refused_certificate(route: Route, refused: ssl.SSLCertVerificationError) -> PreflightError:
    said = f"Verifying it gave: {refused.verify_message}."
    if refused.verify_code in {EXPIRED, NOT_YET_VALID}:
        word = "no longer" if refused.verify_code == EXPIRED else "not yet"
        return error(
            "TLS",
            f"the certificate of {route.shown} is {word} valid",
            f"{said} Or the clock of this machine is wrong.",
            "Compare the clock:   date --utc",
            ask="whoever runs that server, if the clock is right",
        )
    if refused.verify_code in WRONG_NAME:
        return error(
            "TLS",
            f"the certificate that answers at {route.shown} is for another host",
            said,
            "Compare the host with the address bar of your browser in dbt Cloud.",
            ask=NETWORK,
        )
    return _unknown_issuer(route, said)


def _unknown_issuer(route: Route, said: str) -> PreflightError:
    issuer = read_issuer(route)
    by = f"it is signed by: {issuer}" if issuer else "its signer could not be read"
    known = "dbt Cloud's own certificates are signed by a public authority, so a proxy or a virus "
    known += "scanner of your company opens the connection on the way. "
    between = known if route.host.endswith(PUBLIC_DOMAINS) else ""
    trusted = route.ca_file or "the system's certificates"
    return error(
        "TLS",
        f"the certificate of {route.shown} is not trusted; {by}",
        f"{said} {between}Trusted is what is in {trusted}.",
        "With that authority's certificate as a PEM file, in .env:   EXTRA_CA_FILE=/path/to/it.pem",
        "After that:   make up",
        ask=f"{NETWORK}: they have the file",
    )


def _no_tls(route: Route, broken: Exception) -> PreflightError:
    return error(
        "TLS",
        f"what answers at {route.shown} does not speak TLS as it should",
        f"The handshake gave: {broken or repr(broken)}.",
        "If it is a plain HTTP server, it is not dbt Cloud; compare the host and the port.",
        "If a firewall cuts the handshake off, HTTPS_PROXY or the VPN may be the way.",
        ask=NETWORK,
    )


def read_issuer(route: Route) -> str:
    """
    Read who signed a certificate that was refused; empty if it does not let itself be read.

    Python shows the fields of a certificate only once it trusts it. So the same certificate is
    fetched, and then trusted for a second handshake that sends nothing.
    """
    try:
        context = ssl.create_default_context(cadata=_fetch_certificate(route))
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        with context.wrap_socket(connect(route), server_hostname=route.host) as trusted:
            certificate: Any = trusted.getpeercert() or {}
    except (PreflightError, ssl.SSLError, OSError):
        return ""
    names = {key: value for part in certificate.get("issuer", ()) for key, value in part}
    chosen = [names.get("commonName"), names.get("organizationName")]
    return ", ".join(str(name) for name in dict.fromkeys(chosen) if name)


def _fetch_certificate(route: Route) -> bytes:
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    with blind.wrap_socket(connect(route), server_hostname=route.host) as opened:
        return opened.getpeercert(binary_form=True) or b""
