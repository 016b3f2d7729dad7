"""
Whom this machine trusts: its own store of certificates, what a shell names, and EXTRA_CA_FILE.

Where a company's proxy opens every connection, its authority is in the system's store. uv brings
authorities of its own and pip often does, so they are told to look there too.
"""

import os
import re
import ssl
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from dbt_cloud_api.dotenv_file import ENCODING, whole_lines
from dbt_cloud_api.user_error import UserError
from local_airflow.base.folders import LOCAL, ROOT, dotenv_path
from local_airflow.base.shell_variables import of_shell


# Where Debian, Fedora, SUSE, Alpine and their relatives keep it; a Python that was built elsewhere
# looks elsewhere.
SYSTEM_STORES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
# Read by uv, by pip, by pip-audit, and by git.
FOR_INSTALLERS = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO")
# By these somebody has told uv to look elsewhere, or pip, in which requests' own variable wins.
OTHER_WAYS = {
    "SSL_CERT_FILE": ("UV_SYSTEM_CERTS", "UV_NATIVE_TLS", "SSL_CERT_DIR"),
    "REQUESTS_CA_BUNDLE": ("PIP_CERT",),
}
CERTIFICATE = re.compile(rb"-----BEGIN ([A-Z0-9 ]*CERTIFICATE)-----.+?-----END \1-----", re.DOTALL)


def of_this_machine(shell: Mapping[str, str] = os.environ) -> list[Path]:
    """List the files of certificates that are trusted here: the system's, then the shell's."""
    named = [Path(shell[name]) for name in FOR_INSTALLERS if shell.get(name)]
    # Elsewhere than on Linux the store is no file, and every file is only a part of it.
    stores = [*map(Path, SYSTEM_STORES)] if sys.platform == "linux" else []
    found = [each for each in stores if each.is_file()][:1]
    return [*found, *(each for each in named if each.is_file())]


def extra_ca_file(named: str) -> Path | None:
    """Give the file that EXTRA_CA_FILE names; a path begins at the repository."""
    return ROOT / Path(named).expanduser() if named else None


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


def joined(files: Iterable[Path]) -> bytes:
    """Join files of certificates, each certificate once: whoever connects reads all of them."""
    found: dict[bytes, bytes] = {}
    for file in files:
        with suppress(OSError):
            for each in CERTIFICATE.finditer(file.read_bytes()):
                found.setdefault(b"".join(each[0].split()), each[0] + b"\n")
    return b"".join(found.values())


def installer_environment(also_trusted: Iterable[Path] = ()) -> dict[str, str]:
    """
    Give the process environment in which uv and pip trust what this machine trusts.

    What a shell sets stays as it is; with EXTRA_CA_FILE, what it names is trusted as well.
    """
    environment = of_shell("uv and pip")
    extra = _extra_ca_file_of_dotenv()
    files = [*of_this_machine(), *also_trusted, *([extra] if extra else [])]
    if not files:
        return environment
    bundle = str(_write(joined(files)))
    said = {name for name in environment if environment[name]}
    trusting = {
        name: bundle
        for name in FOR_INSTALLERS
        if extra or said.isdisjoint({name, *OTHER_WAYS.get(name, ())})
    }
    return {**environment, **trusting}


def _extra_ca_file_of_dotenv() -> Path | None:
    """Read it also from a `.env` with broken lines, which are no reason to install nothing."""
    try:
        lines = dotenv_path().read_text(encoding=ENCODING, errors="replace").splitlines()
    except OSError:
        return None
    extra = extra_ca_file(whole_lines(lines, ".env").get("EXTRA_CA_FILE", ""))
    if extra is not None:
        check_certificates(extra)
    return extra


def _write(certificates: bytes) -> Path:
    """Write them where uv finds them, in one step: another installation may read them just now."""
    file = LOCAL / "trusted.pem"
    if not file.exists() or file.read_bytes() != certificates:
        LOCAL.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=LOCAL, suffix=".pem", delete=False) as unfinished:
            unfinished.write(certificates)
        Path(unfinished.name).replace(file)
    return file
