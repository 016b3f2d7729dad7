"""
Log in to PostgreSQL, and leave again: the one proof that it takes new connections.

Those that are open go on in a server that is stopping or frozen, so Airflow looks healthy for as
long as it needs no other.
"""

import subprocess
from collections.abc import Mapping, Sequence


def log_in_by(psql: Sequence[str], process_env: Mapping[str, str], seconds: float) -> None:
    """
    Log in to Airflow's database by a command that is psql, wherever it runs.

    Raises `OSError` when that fails, with psql's last words, or is not done in so many seconds.
    """
    try:
        done = subprocess.run(
            [*psql, "--username=airflow", "--dbname=airflow", "--no-psqlrc", "--command=SELECT 1"],
            env=process_env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if done.returncode:
        raise ConnectionRefusedError(done.stderr.strip().rpartition(" failed: ")[2])
