"""What may be typed into a form and becomes part of a dbt command. Imports nothing of Airflow."""

from typing import Any


# A word that begins with `-` would not be a model but an option.
WORD = r"[\w+*@.:/][\w+*@.:/-]*"
SELECTION: dict[str, Any] = {"type": "string", "pattern": f"^{WORD}( +{WORD})*$", "maxLength": 500}
MONTH: dict[str, Any] = {"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"}
