"""The last requests to the API, for whoever wants to know what a client really asked."""

import threading
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from starlette.types import Scope


KEPT = 1000
# What is noted of a path: nobody needs a token to ask for a long one.
LONGEST_PATH = 500


def noted_path(scope: Scope) -> str:
    """Give the path as it was sent: percent signs instead of line breaks."""
    return bytes(scope["raw_path"][:LONGEST_PATH]).decode("ascii", "backslashreplace")


@dataclass(frozen=True, slots=True)
class Request:
    """`status` is null when the connection was cut; `fault` is the id of the fault that it met."""

    number: int
    method: str
    path: str
    status: int | None
    milliseconds: float
    fault: int | None


@dataclass
class RequestJournal:
    """`begun` counts how often it was begun anew: what came before that is not noted after it."""

    requests: deque[Request] = field(default_factory=lambda: deque(maxlen=KEPT))
    last_number: int = 0
    begun: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(
        self,
        method: str,
        path: str,
        status: int | None,
        ms: float,
        fault: int | None,
        *,
        since: int,
    ) -> None:
        """`since` is `begun` as it was when the request came: a reset may have come in between."""
        with self.lock:
            if since != self.begun:
                return
            self.last_number += 1
            self.requests.append(
                Request(self.last_number, method, path, status, round(ms, 1), fault)
            )

    def clear(self) -> None:
        with self.lock:
            self.requests.clear()
            self.begun += 1

    def list(self) -> list[dict[str, Any]]:
        """Oldest first."""
        with self.lock:
            return [asdict(request) for request in self.requests]
