"""
Mask secrets in text: the ones that are known, and whatever looks like one.

Known are the values of this clone; they are found also when they are written otherwise (in
base64, in an address, in JSON) or broken over lines. The patterns are for what nobody told us of:
they rather mask too much.
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote, quote_plus

from dbt_cloud_api.notification_urls import ON_THIS_MACHINE, SHORTEST


MASK = "***"

SECRET_NAME = re.compile(
    r"passw|passphrase|pwd|secret|token|api_?key|private_?key|access_?key|credential|fernet|jwt|"
    r"signature|\bdsn\b|_conn\b|_conn_|sql_alchemy|auth(?!or|_manager|_enabled)|webhook|"
    r"notification",
    re.IGNORECASE,
)
# In a line of text: a name that speaks of a secret, a : or =, and then the value. What begins in
# the middle of a word is not looked at, here and below: a long word would be read from each letter.
NAMED_VALUE = re.compile(
    r"(?P<name>(?<![\w.-])[\w.-]*(?:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|"
    r"private[_-]?key|access[_-]?key|credentials?|fernet|jwt|signature|hmac|cookie|dsn)[\w.-]*)"
    r"(?P<between>\\?[\"']?\s*(?:=>|:|=(?!=))\s*)"
    r"(?P<value>\\\"(?:(?!\\\").)*(?:\\\"|$)|\"(?:[^\"\\\n]|\\.)*(?:\"|$)|"
    r"'(?:[^'\\\n]|\\.)*(?:'|$)|[^\s,;&}\])<>\"']+)",
    re.IGNORECASE | re.MULTILINE,
)
ADDRESS = re.compile(r"(?P<scheme>(?<![\w+.-])[\w+.-]+://)(?P<rest>[^\s'\"<>]+)")
# Of these it is known where a secret stands; in others, such as those of Apprise, anywhere.
READABLE_SCHEMES = re.compile(
    r"https?|file|ssh|git(?:\+\w+)?|s3a?|gs|abfss?|wasbs?|s?ftp|redis|rediss|valkey|amqp|"
    r"(?:postgres|postgresql|mysql|mariadb|mssql|sqlite|snowflake|bigquery|redshift|duckdb|oracle|"
    r"db\+postgresql)(?:\+\w+)?",
    re.IGNORECASE,
)
LOGIN = re.compile(r"(?P<name>[^/@:]*)(?P<password>:.*)?@(?=[\w\[])")
QUERY_VALUE = re.compile(r"(?P<before>[?&;][^=&\s]*=)(?P<value>[^&;#\s]+)")
SECRET_PARAMETER = re.compile(
    r"[?&;](?:[+-].*|.*(?:sig|key|code|hash|auth|pass|pwd|secret|token).*)="
)
DIGIT_BY_LETTER = re.compile(r"(?<=[A-Za-z])\d|(?<=\d)[A-Za-z]")
# In the name of a dag_run, manual__2026-11-27T06, there are two.
RANDOM_CHANGES = 2
# The shortest part of an address that can open something.
MIXED = 12
WORD = re.compile(r"[\w+=-]{20,}")
PATTERNS = (
    # dbt Cloud's tokens
    (re.compile(r"\b(dbt[cu]_)[A-Za-z0-9_=.-]{6,}"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b(authorization[\"']?\s*[:=]\s*[\"']?)(?:\w+\s+)?[^\s\"',]+"), rf"\1{MASK}"),
    (re.compile(r"\b(Basic|Bearer|Token)\s+[A-Za-z0-9+/=._~-]{8,}"), rf"\1 {MASK}"),
    (re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), MASK),
    # what Fernet encrypted: Airflow's passwords in its database
    (re.compile(r"\bgAAAAA[\w=-]{20,}"), MASK),
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
            re.DOTALL,
        ),
        MASK,
    ),
    # what other services make: AWS, GitHub, GitLab, Slack, Google
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), MASK),
    (re.compile(r"\b(?:gh[pousr]|github_pat|glpat|xox[abprs])[_-][A-Za-z0-9_-]{10,}"), MASK),
    (re.compile(r"\bAIza[\w-]{30,}"), MASK),
)


def is_secret_name(name: str) -> bool:
    # Every shell keeps its folder in these two.
    return name not in {"PWD", "OLDPWD"} and bool(SECRET_NAME.search(name))


@dataclass(frozen=True, slots=True)
class Masker:
    """Masks text; `known` finds the secrets that are known, in every form."""

    known: tuple[re.Pattern[str], ...] = field(repr=False)

    @classmethod
    def of(cls, secrets: Iterable[str]) -> Self:
        long_enough = {secret for secret in secrets if len(secret) >= SHORTEST}
        # The longest first: one may be part of another.
        ordered = sorted(long_enough, key=len, reverse=True)
        return cls(tuple(pattern for secret in ordered for pattern in _patterns(secret)))

    def mask(self, text: str) -> str:
        for pattern in self.known:
            text = pattern.sub(MASK, text)
        text = NAMED_VALUE.sub(_mask_value, text)
        for pattern, replacement in PATTERNS:
            text = pattern.sub(replacement, text)
        text = ADDRESS.sub(_mask_address, text)
        return WORD.sub(lambda found: MASK if is_random(found[0]) else found[0], text)

    def leaks(self, text: str) -> bool:
        """Tell whether a known secret is still there, in any of its forms."""
        return any(pattern.search(text) for pattern in self.known)


def _patterns(secret: str) -> Iterator[re.Pattern[str]]:
    for form in sorted(_written(secret), key=len, reverse=True):
        yield re.compile(_over_lines(form))
    for middle in _in_base64(secret):
        # What stands around it belongs to it: it holds the first and the last letters.
        yield re.compile(rf"(?<![\w+/-])[\w+/-]*{_over_lines(middle)}[\w+/=-]*")


def _written(secret: str) -> set[str]:
    """Give the ways in which programs write a word into addresses, JSON, pages, code."""
    addresses = {quote(secret, safe=""), quote_plus(secret), quote(secret)}
    return addresses | {secret, html.escape(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}


def _in_base64(secret: str) -> set[str]:
    """Give what is left of a word in base64 wherever it begins: each of three offsets differs."""
    middles = set()
    for offset in range(3):
        coded = base64.b64encode(b"\0" * offset + secret.encode()).decode()
        middle = coded[offset + 1 if offset else 0 : -4]
        if len(middle) >= SHORTEST:
            middles |= {middle, middle.replace("+", "-").replace("/", "_")}
    return middles


def _over_lines(form: str) -> str:
    # A terminal of 80 columns, and a log of it, breaks a long word anywhere.
    return r"(?:\n[ \t]*)?".join(re.escape(character) for character in form)


def _mask_value(found: re.Match[str]) -> str:
    value = found["value"]
    quoted = re.match(r"\\?[\"']", value)
    mark = quoted[0] if quoted else ""
    # Numbers and words of a setting tell more than they give away.
    if value.strip("\\\"'").lower() in {"", "none", "null", "true", "false", MASK}:
        return found[0]
    return f"{found['name']}{found['between']}{mark}{MASK}{mark[-1:] and mark}"


def _mask_address(found: re.Match[str]) -> str:
    """Leave of an address what helps: where it leads to, and the way, without what opens it."""
    scheme, rest = found["scheme"], found["rest"]
    if not READABLE_SCHEMES.fullmatch(scheme.removesuffix("://")):
        return f"{scheme}{MASK}"
    login = LOGIN.match(rest)
    shown = ""
    if login:
        rest = rest[login.end() :]
        name = login["name"] if login["password"] else MASK
        shown = f"{name}{f':{MASK}' if login['password'] else ''}@"
    if not ON_THIS_MACHINE.match(rest):
        path, mark, query = rest.partition("?")
        rest = "/".join(map(_mask_segment, path.split("/"))) + mark + query
    return f"{scheme}{shown}{QUERY_VALUE.sub(_mask_parameter, rest)}"


def _mask_segment(segment: str) -> str:
    return MASK if _is_mixed(segment) else segment


def _mask_parameter(found: re.Match[str]) -> str:
    is_secret = SECRET_PARAMETER.match(found["before"]) or _is_mixed(found["value"])
    return f"{found['before']}{MASK}" if is_secret else found[0]


def _is_mixed(text: str) -> bool:
    """Tell letters and digits in one word from a word, a number, a version and a date."""
    return bool(
        len(text) >= MIXED
        and re.search("[A-Za-z]", text)
        and len(DIGIT_BY_LETTER.findall(text)) > 1
    )


def is_random(word: str) -> bool:
    """Tell whether nobody would choose the word: capitals, small letters and digits throughout."""
    return bool(
        re.search("[a-z]", word)
        and re.search("[A-Z]", word)
        and len(DIGIT_BY_LETTER.findall(word)) > RANDOM_CHANGES
    )
