"""A mistake that the reader can put right."""

from dataclasses import dataclass
from typing import Self

from dbt_cloud_api.plain_text import printable


@dataclass
class UserError(Exception):
    """Printed without a traceback: what is wrong, why, and what to type."""

    problem: str
    cause: str
    remedies: tuple[str, ...]

    @classmethod
    def retold(cls, words: str) -> Self:
        """Take apart what another program of this repository printed as `error: …`."""
        problem, _, rest = words.removeprefix("error: ").strip().partition("\n\n")
        cause, _, remedies = rest.partition("\n\n")
        lines = (line.strip().removeprefix("→ ") for line in remedies.splitlines())
        return cls(problem, cause.strip(), tuple(line for line in lines if line))

    def __str__(self) -> str:
        remedies = "\n".join(f"  → {remedy}" for remedy in self.remedies)
        cause = "\n".join(f"  {line}".rstrip() for line in self.cause.splitlines())
        # It names what others have named.
        return printable(f"{self.problem}\n\n{cause}\n\n{remedies}")
