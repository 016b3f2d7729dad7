"""
Who may see the pages: a key in a link, for minutes, and the one in a cookie that it is changed for.

Both are a moment and its signature with the API's token. So nothing is stored, a restart forgets
nobody, and a new token ends them all.
"""

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal


Purpose = Literal["link", "cookie"]
# A link is clicked at once; a cookie is for a working day.
SECONDS: dict[Purpose, int] = {"link": 300, "cookie": 12 * 3600}


@dataclass(frozen=True, slots=True)
class PageKeys:
    token: str = field(repr=False)
    now: Callable[[], float] = time.time

    def make(self, purpose: Purpose) -> str:
        end = int(self.now()) + SECONDS[purpose]
        return f"{end}.{self._signature(purpose, str(end))}"

    def accept(self, purpose: Purpose, key: str) -> bool:
        end, _, signature = key.partition(".")
        signed = hmac.compare_digest(signature.encode(), self._signature(purpose, end).encode())
        # What is signed was made here, and so is a number.
        return signed and self.now() < int(end)

    def _signature(self, purpose: Purpose, end: str) -> str:
        what = f"page of the local dbt Cloud, {purpose}, {end}"
        return hmac.digest(self.token.encode(), what.encode(errors="replace"), "sha256").hex()
