"""
Reads `.env` as strictly as its three readers together: Compose, `docker --env-file`, a shell.

What one of them would read differently is refused here, so that every way to run agrees. Only a
blank and `&;|<>()~`, which paths and addresses need, are as they stand for all but a shell.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from dbt_cloud_api.user_error import UserError


# Some editors put a mark (BOM) before the text, which Docker reads over too.
ENCODING = "utf-8-sig"
LINE = re.compile(r"(?P<key>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>.*)", re.DOTALL)
# A name, in a line that may be no setting.
NAME = re.compile(r"\s*(?P<name>(?:export\s+)?[A-Za-z_][A-Za-z0-9_]*)\s*=")
BLANKS = " \t"
# A NUL among them ends what a process can be given.
INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")

KNOWN = {
    "DBT_CLOUD_JOB_URL": "",
    "DBT_CLOUD_API_TOKEN": "",
    "DBT_CLOUD_HOST": "",
    "DBT_CLOUD_ACCOUNT_ID": "",
    "DBT_CLOUD_JOB_ID": "",
    "EXTRA_CA_FILE": "",
    "DBT_CLOUD_NOTIFICATION_URLS": "",
    "EXAMPLES": "true",
    "WAREHOUSE_URL": "",
    "AIRFLOW_PORT": "8080",
    "LOCAL_DBT_CLOUD_PORT": "8443",
    "POSTGRES_PORT": "5433",
    "MODE": "",
}
# Compose reads these itself.
COMPOSE_SETTING = re.compile(r"COMPOSE_[A-Z_]+|AIRFLOW_UID")
AIRFLOW_SETTING = re.compile(r"AIRFLOW__[A-Z0-9_]+?__[A-Z0-9_]+")
# For the profiles of jobs in the local dbt Cloud, which name what they read.
DBT_VARIABLE = re.compile(r"DBT_ENV_[A-Z0-9_]+")


def read_dotenv(file: Path) -> dict[str, str]:
    """Give every setting of the file; raise `UserError` for the first line that is broken."""
    try:
        text = file.read_bytes().decode(ENCODING)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{file.name} cannot be read",
            f"Reading {file} gave: {error}.",
            ("Save it as plain UTF-8 text, readable by you.",),
        ) from None
    return parse_lines(lines_of(text), file.name)


def lines_of(text: str) -> list[str]:
    """Split at line feeds alone: Unicode has other ends of a line, which no other reader knows."""
    *lines, last = text.replace("\r\n", "\n").split("\n")
    return [*lines, last] if last else lines


def parse_lines(lines: Iterable[str], file: str) -> dict[str, str]:
    settings: dict[str, str] = {}
    for entry in _entries(lines, file):
        if isinstance(entry, UserError):
            raise entry
        settings[entry[0]] = entry[1]
    return settings


def broken_lines(lines: Iterable[str], file: str) -> list[UserError]:
    """Give an error for every line that is broken, where `parse_lines` stops at the first."""
    return [entry for entry in _entries(lines, file) if isinstance(entry, UserError)]


def whole_lines(lines: Iterable[str], file: str) -> dict[str, str]:
    """Give the settings of every line that is not broken."""
    return dict(entry for entry in _entries(lines, file) if not isinstance(entry, UserError))


def _entries(lines: Iterable[str], file: str) -> Iterator[tuple[str, str] | UserError]:
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        stripped = line.strip(BLANKS)
        if not stripped or stripped.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        why = _why_broken(match["value"]) if match else _why_no_setting(line)
        if match is None or why:
            yield _broken(file, number, line, *why)
        elif match["key"] in seen:
            twice = f"{match['key']} is set in line {seen[match['key']]} already."
            yield _broken(file, number, line, twice, "Keep one of the two lines.")
        else:
            seen[match["key"]] = number
            yield match["key"], match["value"]


def _broken(file: str, number: int, line: str, cause: str, remedy: str) -> UserError:
    # The value may be a token, and so may what stands in its place: only a name is repeated.
    named = NAME.match(line)
    shown = f"{named['name']}=…" if named else "…"
    return UserError(f"{file}, line {number} cannot be read: {shown}", cause, (remedy,))


def _why_no_setting(line: str) -> tuple[str, str]:
    stripped = line.strip()
    if stripped.startswith("export "):
        return 'Only a shell understands "export".', 'Remove the word "export".'
    if "=" not in stripped:
        return "There is no = in it.", "Write KEY=value, or put # in front of the line."
    if stripped != line.rstrip() or re.match(r"\S+\s+=", stripped):
        return (
            "There is a blank in front of the name or of the =.",
            "Write KEY=value without blanks.",
        )
    return (
        "What stands before the = is no name of a setting.",
        "Names have letters, digits and _ only.",
    )


def _why_broken(value: str) -> tuple[str, str] | tuple[()]:
    if INVISIBLE.search(value):
        return "There is a character in the value that nobody sees.", "Type the value anew."
    if value != value.strip():
        return "There is a blank at an end of the value.", "Remove the blank."
    for character, word in (('"', "a quote"), ("'", "a quote"), ("$", "a dollar sign")):
        if character in value:
            return (
                f"There is {word} in the value; Docker and a shell read that differently.",
                f"Remove the {character} from the value.",
            )
    if "`" in value or "\\" in value:
        return "A shell would change the value: it has ` or \\ in it.", "Remove that character."
    if re.search(r"(^|\s)#", value):
        return (
            "A comment stands behind the value; Docker takes it as part of the value.",
            "Give the comment a line of its own.",
        )
    return ()


def unknown_settings(settings: Mapping[str, str]) -> list[str]:
    """Give one sentence for every setting that nobody will read, with the name that is close."""
    sentences = []
    for key in settings:
        others = (AIRFLOW_SETTING, DBT_VARIABLE, COMPOSE_SETTING)
        if key in KNOWN or any(pattern.fullmatch(key) for pattern in others):
            continue
        close = get_close_matches(key.upper(), KNOWN, n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        sentences.append(f"warning: .env sets {key}, which nothing reads{meant}")
    return sentences
