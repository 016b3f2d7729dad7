"""A mistake that the reader can put right."""

from dataclasses import dataclass


@dataclass
class UserError(Exception):
    """Printed without a traceback: what is wrong, why, and what to type."""

    problem: str
    cause: str
    remedies: tuple[str, ...]

    def __str__(self) -> str:
        remedies = "\n".join(f"  → {remedy}" for remedy in self.remedies)
        return f"{self.problem}\n\n  {self.cause}\n\n{remedies}"
