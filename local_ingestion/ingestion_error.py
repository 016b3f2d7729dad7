"""The one error that a load which cannot be done raises."""

from dataclasses import dataclass


@dataclass
class IngestionError(Exception):
    """Something the reader can put right: what is wrong, why, what to type."""

    problem: str
    cause: str
    remedies: tuple[str, ...]

    def __str__(self) -> str:
        remedies = "\n".join(f"  → {remedy}" for remedy in self.remedies)
        return f"{self.problem}\n\n  {self.cause}\n\n{remedies}"
