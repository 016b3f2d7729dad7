"""
Mask secrets in text: the ones that are known, and whatever looks like one.

Known are the values of this clone; they are found also when they are written otherwise (in
base64, in an address, in JSON) or broken over lines.
"""

import base64
import html
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote, quote_plus

from dbt_cloud_api.notification_urls import SHORTEST
from local_airflow.bundle.lookalikes import MASK, mask_lookalikes


# A terminal of 80 columns, and a log of it, breaks a long word anywhere; JSON writes a break as \n.
LINE_BREAK = r"(?:\r?\n|\\n)[ \t]*"
BLANKS = re.compile(r"(?:\s|\\n)+")


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a known secret; its pattern is slow, so it is used on a find only."""

    plain: str
    without_blanks: str
    pattern: re.Pattern[str]

    @classmethod
    def of(cls, plain: str, around: str = "") -> Self:
        before = rf"(?<!{around}){around}*" if around else ""
        after = rf"{around[:-1]}=]*" if around else ""
        pattern = re.compile(before + _over_lines(plain) + after)
        return cls(plain, BLANKS.sub("", plain), pattern)


@dataclass(frozen=True, slots=True)
class Masker:
    """Masks text; `known` finds the secrets that are known, in every form."""

    known: tuple[Form, ...] = field(repr=False)

    @classmethod
    def of(cls, secrets: Iterable[str]) -> Self:
        long_enough = {secret for secret in secrets if len(secret) >= SHORTEST}
        # The longest first: one may be part of another.
        ordered = sorted(long_enough, key=len, reverse=True)
        return cls(tuple(form for secret in ordered for form in _forms(secret)))

    def mask(self, text: str) -> str:
        for pattern in self._found_in(text):
            text = pattern.sub(MASK, text)
        return mask_lookalikes(text)

    def leaks(self, text: str) -> bool:
        """Tell whether a known secret is still there, in any of its forms."""
        return any(pattern.search(text) for pattern in self._found_in(text))

    def _found_in(self, text: str) -> list[re.Pattern[str]]:
        without_blanks = BLANKS.sub("", text)
        return [
            form.pattern
            for form in self.known
            if form.plain in text or form.without_blanks in without_blanks
        ]


def _forms(secret: str) -> Iterator[Form]:
    for written in sorted(_written(secret), key=len, reverse=True):
        yield Form.of(written)
    for middle in _in_base64(secret):
        # What stands around it belongs to it: it holds the first and the last letters.
        yield Form.of(middle, r"[\w+/-]")


def _written(secret: str) -> set[str]:
    """Give the ways in which programs write a word into addresses, JSON, pages, code."""
    in_json = json.dumps(secret)[1:-1]
    coded = {quote(secret, safe=""), quote_plus(secret), quote(secret)}
    coded |= {re.sub("%..", lambda found: found[0].lower(), each) for each in coded}
    again = {quote(each, safe="") for each in coded}
    in_json_again = {json.dumps(in_json)[1:-1], in_json.replace("/", r"\/")}
    in_code = {repr(secret)[1:-1], shlex.quote(secret).strip("'"), html.escape(secret)}
    unicode = json.dumps(secret, ensure_ascii=False)[1:-1]
    hexadecimal = secret.encode().hex()
    return {secret, in_json, unicode, hexadecimal} | coded | again | in_json_again | in_code


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
    letters = (
        rf"(?:[ \t]*{LINE_BREAK}|[ \t])" if letter == " " else re.escape(letter) for letter in form
    )
    return f"(?:{LINE_BREAK})?".join(letters)
