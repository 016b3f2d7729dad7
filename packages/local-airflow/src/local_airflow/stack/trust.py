"""Which certificates the stack trusts: the usual ones, our own, and those of EXTRA_CA_FILE."""

import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dbt_cloud_api.user_error import UserError


if TYPE_CHECKING:
    from local_airflow.stack.settings import StackSettings


def check_certificates(file: Path) -> None:
    """Refuse a file without certificates: with it, every connection would fail later."""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile=str(file))
    except (OSError, ssl.SSLError) as broken:
        raise UserError(
            f"EXTRA_CA_FILE={file} holds no certificates",
            f"Reading it gave: {broken}.",
            (
                "It must be a file in PEM, which begins with   -----BEGIN CERTIFICATE-----",
                "From a file in DER:   openssl x509 -inform der -in it.crt -out it.pem",
            ),
        ) from None


def tls_context(settings: "StackSettings") -> ssl.SSLContext:
    """Trust what the system, the local dbt Cloud's bundle (once it is made) and the extra say."""
    context = ssl.create_default_context()
    for file in (settings.folders.tls / "bundle.pem", settings.extra_ca_file):
        if file is not None and file.exists():
            context.load_verify_locations(cafile=str(file))
    return context


@contextmanager
def trusted_file(settings: "StackSettings") -> Iterator[Path | None]:
    """Give one file with all that is to be trusted, for libraries that take a file; or None."""
    own, extra = settings.folders.tls / "bundle.pem", settings.extra_ca_file
    parts = [file for file in (own, extra) if file is not None and file.exists()]
    if not parts:
        yield None
        return
    system = ssl.get_default_verify_paths().cafile
    usual = Path(system).read_bytes() if system and own not in parts else b""
    with tempfile.NamedTemporaryFile(suffix=".pem") as joined:
        joined.write(b"\n".join([usual, *(file.read_bytes() for file in parts)]))
        joined.flush()
        yield Path(joined.name)


def write_trusted(settings: "StackSettings") -> None:
    """Join the bundle, which the certificates of the local dbt Cloud come with, and the extra."""
    if settings.extra_ca_file is None:
        return
    usual = (settings.folders.tls / "bundle.pem").read_bytes()
    settings.tls_bundle.write_bytes(usual + b"\n" + settings.extra_ca_file.read_bytes())
