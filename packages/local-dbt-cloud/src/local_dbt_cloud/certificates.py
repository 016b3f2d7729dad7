"""
A local certificate authority, a server certificate, and a bundle that trusts both worlds.

The authority signs one certificate, for the names below, and its key is never written: nobody can
sign another one with it. It says itself that it speaks for no other name.

The bundle is certifi's roots plus our authority: a client that gets it as REQUESTS_CA_BUNDLE and
SSL_CERT_FILE reaches this server and the real dbt Cloud alike.
"""

import os
import ssl
import time
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING

from dbt_cloud_api.user_error import UserError
from local_dbt_cloud.wire.timestamps import now


if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, CertificateBuilder, GeneralName, KeyUsage

CA_NAME = "Local dbt Cloud CA"
HOST_NAMES = ("localhost", "local-dbt-cloud", "host.docker.internal")
ADDRESSES = ("127.0.0.1", "::1")
FILES = ("ca.pem", "server.pem", "server.key", "bundle.pem")
# Of authorities of earlier releases, which could sign any name.
FORMER_KEY = "ca.key"
LIFETIME = timedelta(days=820)  # more is refused by Apple's TLS
RENEW_AFTER_SECONDS = 700 * 86400


def ensure_certificates(folder: Path) -> bool:
    """
    Make what is missing, broken or old; answer whether anything was made.

    One that is still good is kept, because clients hold the bundle open for as long as they run.
    """
    if is_good(folder):
        return False
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_certificates(folder)
    except OSError as error:
        raise UserError(
            f"no certificate can be written to {folder}",
            f"Writing gave: {error}.",
            ("make that folder writable", "or set LOCAL_DBT_CLOUD_TLS to another one"),
        ) from None
    return True


def is_good(folder: Path) -> bool:
    paths = [folder / name for name in FILES]
    if not all(path.is_file() for path in paths) or (folder / FORMER_KEY).exists():
        return False
    if time.time() - (folder / "server.pem").stat().st_mtime > RENEW_AFTER_SECONDS:
        return False
    try:
        server_context(folder)
        ssl.create_default_context(cafile=folder / "bundle.pem")
    except ssl.SSLError:
        return False
    return True


def server_context(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return context


def make_certificates(folder: Path) -> None:
    # Imported here because a start with good certificates does not need it.
    import certifi  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    def pem(key: "EllipticCurvePrivateKey") -> bytes:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    ca_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = sign_ca(ca_key)
    server = sign_server(server_key, ca_key)
    ca_pem = ca.public_bytes(Encoding.PEM)
    write(folder / "server.key", pem(server_key))
    write(folder / "ca.pem", ca_pem, mode=0o644)
    write(folder / "server.pem", server.public_bytes(Encoding.PEM) + ca_pem, mode=0o644)
    write(folder / "bundle.pem", Path(certifi.where()).read_bytes() + b"\n" + ca_pem, mode=0o644)
    (folder / FORMER_KEY).unlink(missing_ok=True)


def begin(subject: str, issuer: str, key: "EllipticCurvePrivateKey") -> "CertificateBuilder":
    from cryptography import x509  # noqa: PLC0415 - as in make_certificates
    from cryptography.x509.oid import NameOID  # noqa: PLC0415 - as in make_certificates

    start = now() - timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def sign_ca(key: "EllipticCurvePrivateKey") -> "Certificate":
    from cryptography import x509  # noqa: PLC0415 - as in make_certificates
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    # Python 3.13 checks strictly: an authority needs these extensions and these marks.
    return (
        begin(CA_NAME, CA_NAME, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(sign_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(names(), None), critical=True)
        .sign(key, SHA256())
    )


def sign_server(key: "EllipticCurvePrivateKey", ca_key: "EllipticCurvePrivateKey") -> "Certificate":
    from cryptography import x509  # noqa: PLC0415 - as in make_certificates
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415

    addresses = [x509.IPAddress(ip_address(address)) for address in ADDRESSES]
    served = [*map(x509.DNSName, HOST_NAMES), *addresses]
    return (
        begin("Local dbt Cloud", CA_NAME, key)
        .add_extension(x509.SubjectAlternativeName(served), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
            critical=False,
        )
        .sign(ca_key, SHA256())
    )


def names() -> "list[GeneralName]":
    """Give what the authority may speak for: the names, and each address as a network of one."""
    from cryptography import x509  # noqa: PLC0415 - as in make_certificates

    networks = [x509.IPAddress(ip_network(address)) for address in ADDRESSES]
    return [*map(x509.DNSName, HOST_NAMES), *networks]


def key_usage(*, sign_certificates: bool) -> "KeyUsage":
    from cryptography.x509 import KeyUsage  # noqa: PLC0415 - as in make_certificates

    return KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def write(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace a file in one step, so that no reader ever sees half a certificate."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)
