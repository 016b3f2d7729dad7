"""
The settings that open something, which a process may be given in a file.

What is in a process environment is seen by whoever may inspect the container, and by every program
that the process starts.
"""

from collections.abc import Mapping
from pathlib import Path

from dbt_cloud_api.dotenv_file import ENCODING
from dbt_cloud_api.user_error import UserError


SECRET_SETTINGS = ("DBT_CLOUD_API_TOKEN", "DBT_CLOUD_NOTIFICATION_URLS", "WAREHOUSE_URL")
# Names the file: `.env`, or another with such lines.
FILE_VARIABLE = "SECRET_SETTINGS_FILE"


def with_secret_settings(process_env: Mapping[str, str]) -> dict[str, str]:
    """
    Give the process environment with what stands in the file that it names, if it names one.

    Raises `UserError` when the file cannot be read: without a token, all would be the local one's.
    """
    file = process_env.get(FILE_VARIABLE)
    if not file:
        return dict(process_env)
    try:
        lines = Path(file).read_text(encoding=ENCODING).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            "the secret settings cannot be read",
            f"Reading {file}, which {FILE_VARIABLE} names, gave: {error}.",
            ("To have it written again:   make up",),
        ) from None
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    return {**process_env, **{name: found.get(name, "") for name in SECRET_SETTINGS}}
