"""The one error that a wrong line in `.env` raises."""

from dataclasses import dataclass


@dataclass
class SettingsError(Exception):
    """A setting that the reader can put right: what is wrong, why, what to type."""

    problem: str
    cause: str
    remedies: tuple[str, ...]

    def __str__(self) -> str:
        remedies = "\n".join(f"  → {remedy}" for remedy in self.remedies)
        return f"{self.problem}\n\n  {self.cause}\n\n{remedies}"
