"""
Create the databases where they are missing, and bring Airflow's up to date.

Runs in the one-shot service `migrate`, in Airflow's image, before any component starts.
"""

import os
import subprocess
import sys
from pathlib import Path

from dbt_cloud_api.user_error import UserError
from local_airflow.native.postgres import Server, create_databases


PASSWORDS = Path("/run/secrets/postgres")


def main() -> int:
    passwords = {file.name: file.read_text(encoding="ascii") for file in PASSWORDS.glob("[!.]*")}
    server = Server("psql", "postgres", 5432, passwords.pop("postgres"))
    try:
        create_databases(server, passwords)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return subprocess.run(["airflow", "db", "migrate"], env=os.environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
