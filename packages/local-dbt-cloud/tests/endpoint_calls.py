"""Which test modules call which endpoints, read from the access logs of the servers they use."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


# Parameters of a path that hold a path.
WITH_SLASHES = {"path", "remainder"}
CALL = re.compile(r"(GET|POST|PUT|PATCH|DELETE|HEAD) (/\S*) (\d{3}) \d+\.\d ms$")


def pattern_of(template: str) -> re.Pattern[str]:
    """A path of the API, in either slash form, for a template such as `/jobs/{job_id}/`."""
    texts = re.split(r"\{\w+\}", template.removesuffix("/"))
    names = re.findall(r"\{(\w+)\}", template)
    found = re.escape(texts[0])
    for name, text in zip(names, texts[1:], strict=True):
        found += (".+" if name in WITH_SLASHES else "[^/]+") + re.escape(text)
    return re.compile(f"{found}/?")


@dataclass
class EndpointCalls:
    """`found` holds, by endpoint such as `GET /api/…`, the modules that were answered with 2xx."""

    endpoints: Iterable[str]
    found: dict[str, set[str]] = field(default_factory=dict)
    offsets: dict[Path, int] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)
    partial_modules: set[str] = field(default_factory=set)
    other_logs: set[Path] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.patterns: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
        # Paths in paths last: `/runs/{run_id}/artifacts/` is no artifact.
        for endpoint in sorted(self.endpoints, key=lambda each: each.endswith("path}")):
            method, template = endpoint.split()
            self.patterns.setdefault(method, []).append((endpoint, pattern_of(template)))

    @property
    def whole_modules(self) -> set[str]:
        """Those that were run, and of which nothing was left out."""
        return self.modules - self.partial_modules

    def as_json(self) -> dict[str, Any]:
        """For another process."""
        found = {endpoint: sorted(modules) for endpoint, modules in self.found.items()}
        return {
            "found": found,
            "modules": sorted(self.modules),
            "partial": sorted(self.partial_modules),
        }

    def add(self, told: dict[str, Any]) -> None:
        for endpoint, modules in told["found"].items():
            self.found.setdefault(endpoint, set()).update(modules)
        self.modules |= set(told["modules"])
        self.partial_modules |= set(told["partial"])

    def merged_into(self, kept: dict[str, list[str]]) -> dict[str, list[str]]:
        """What was known before, but for the modules that were run as a whole now."""
        return {
            endpoint: sorted(
                self.found.get(endpoint, set()) | (set(kept.get(endpoint, [])) - self.whole_modules)
            )
            for endpoint in kept.keys() | self.found.keys()
        }

    def read(self, logs: Iterable[Path], module: str) -> None:
        """Note for the module what the logs say more than they did the last time."""
        for log in filter(Path.exists, logs):
            with log.open("rb") as file:
                file.seek(self.offsets.get(log, 0))
                new = file.read()
                self.offsets[log] = file.tell()
            for line in new.decode(errors="replace").splitlines():
                self._note(line, module)

    def _note(self, line: str, module: str) -> None:
        call = CALL.search(line)
        if call is None or not call[3].startswith("2"):
            return
        for endpoint, pattern in self.patterns.get(call[1], []):
            if pattern.fullmatch(call[2]):
                self.found.setdefault(endpoint, set()).add(module)
                return
