"""
Make the secrets and certificates of this clone, and give each service what it may know.

Runs in the one-shot service `secrets` at every start, and makes only what is missing:

    python -m local_airflow.containers.container_secrets <folder>

    <folder>/clone             every secret; no other service sees it
    <folder>/<service>         what that service reads, in a volume of its own
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from dbt_cloud_api.user_error import UserError
from local_airflow.base.certificates import check_certificates
from local_airflow.native.process_table import airflow_secrets
from local_airflow.stack.generated_secrets import Secrets, read_secrets


OWNED = Path("/run/owned")
POSTGRES_AT = "postgres:5432"


def write_for_airflow(folder: Path, secrets: Secrets) -> None:
    environment = {
        **airflow_secrets(secrets, POSTGRES_AT),
        "LOCAL_DBT_CLOUD_TOKEN": secrets.local_dbt_cloud_token,
        "METADATA_PASSWORD": secrets.airflow_database_password,
        "AIRFLOW__CELERY__BROKER_URL": f"redis://:{secrets.valkey_password}@valkey:6379/0",
    }
    write(folder / "environment", as_lines(environment))
    write(folder / "passwords.json", json.dumps({"admin": secrets.admin_password}))


def write_for_local_dbt_cloud(folder: Path, secrets: Secrets) -> None:
    environment = {
        "LOCAL_DBT_CLOUD_TOKEN": secrets.local_dbt_cloud_token,
        "WAREHOUSE_PASSWORD": secrets.warehouse_password,
    }
    write(folder / "environment", as_lines(environment))
    certificates = [sys.executable, "-m", "local_dbt_cloud", "certificates"]
    tls = {"LOCAL_DBT_CLOUD_TLS": str(folder / "tls")}
    subprocess.run(certificates, env={**os.environ, **tls}, check=True)


def write_for_postgres(folder: Path, secrets: Secrets) -> None:
    passwords = {"postgres": secrets.postgres_password, **secrets.database_passwords}
    for name, password in passwords.items():
        # PostgreSQL's image reads it as a user of its own; only its containers see this volume.
        write(folder / name, password, mode=0o444)


def write_for_valkey(folder: Path, secrets: Secrets) -> None:
    write(folder / "password", secrets.valkey_password)
    write(folder / "valkey.conf", f"requirepass {secrets.valkey_password}\n")


def write_bundles(folder: Path) -> None:
    """Join the bundle of the local dbt Cloud's certificates and those of EXTRA_CA_FILE."""
    bundle = (folder / "local-dbt-cloud" / "tls" / "bundle.pem").read_bytes()
    if extra := os.environ.get("EXTRA_CA_FILE"):
        check_certificates(Path(extra))
        bundle += b"\n" + Path(extra).read_bytes()
    # Airflow trusts it, and so do the commands on the host, which take theirs from `clone`.
    for copy in (folder / "airflow", folder / "clone"):
        (copy / "bundle.pem").write_bytes(bundle)


def as_lines(environment: Mapping[str, str]) -> str:
    # The values are our own: letters, digits and the signs of an address, never a quote.
    return "".join(f"{name}='{value}'\n" for name, value in environment.items())


def write(file: Path, text: str, mode: int = 0o400) -> None:
    unfinished = file.with_name(f".{file.name}")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=mode)
    unfinished.write_text(text, encoding="ascii")
    unfinished.chmod(mode)
    unfinished.replace(file)


def give(folder: Path, owner: int) -> None:
    """Make a folder and all in it the owner's, who may have changed since the last start."""
    for path in (folder, *folder.rglob("*")):
        if path.stat(follow_symlinks=False).st_uid != owner:
            os.chown(path, owner, 0, follow_symlinks=False)


def main() -> int:
    folder, owner = Path(sys.argv[1]), int(os.environ["AIRFLOW_UID"])
    secrets = read_secrets(folder / "clone")
    write_for_airflow(folder / "airflow", secrets)
    write_for_local_dbt_cloud(folder / "local-dbt-cloud", secrets)
    write_for_postgres(folder / "postgres", secrets)
    if (folder / "valkey").exists():
        write_for_valkey(folder / "valkey", secrets)
    try:
        write_bundles(folder)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    given = [folder / name for name in ("airflow", "local-dbt-cloud", "valkey")]
    for each in (*filter(Path.exists, given), *OWNED.glob("*")):
        give(each, owner)
    return 0


if __name__ == "__main__":
    sys.exit(main())
