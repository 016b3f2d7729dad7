"""Who answers: a person at a terminal, or variables that a script sets."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from getpass import getpass
from typing import Protocol, TypeVar

from dbt_cloud_api.user_error import UserError


T = TypeVar("T")


class Questions(Protocol):
    def text(self, variable: str, question: str, read: Callable[[str], T]) -> T:
        """Ask for something that `read` understands, or refuses with a `UserError`."""

    def hidden(self, variable: str, question: str, kept: str) -> str:
        """Ask without showing what is typed; `kept` is what an empty answer means."""

    def choose(self, variable: str, what: str, options: Sequence[tuple[str, T]]) -> T: ...

    def confirm(self, variable: str, question: str) -> bool:
        """Only the whole word yes is a yes."""


def find_option(answer: str, options: Sequence[tuple[str, T]]) -> list[tuple[str, T]]:
    """Find options by their exact name, or else by a part of it; case does not matter."""
    wanted = answer.strip().lower()
    exact = [option for option in options if option[0].lower() == wanted]
    return exact or [option for option in options if wanted and wanted in option[0].lower()]


@dataclass(frozen=True, slots=True)
class Variables:
    """Everything is in variables; what is missing is an error that names its variable."""

    values: Mapping[str, str]

    def text(self, variable: str, question: str, read: Callable[[str], T]) -> T:
        answer = self.values.get(variable, "").strip()
        if not answer:
            raise _missing(variable, question)
        return read(answer)

    def hidden(self, variable: str, question: str, kept: str) -> str:
        given = self.values.get(variable, "").strip()
        return given or kept or self.text(variable, question, str)

    def choose(self, variable: str, what: str, options: Sequence[tuple[str, T]]) -> T:
        names = ", ".join(name for name, _ in options)
        answer = self.values.get(variable, "")
        if not answer and len(options) == 1:
            return options[0][1]
        if not answer:
            raise _missing(variable, f"Which {what}? There are: {names}.")
        found = find_option(answer, options)
        if len(found) != 1:
            how_many = "several" if found else "no"
            raise UserError(
                f"{variable}={answer} names {how_many} {what}",
                f"There are: {names}.",
                (f"{variable}='{options[0][0]}' make setup",),
            )
        return found[0][1]

    def confirm(self, variable: str, question: str) -> bool:  # noqa: ARG002 # nobody to ask
        return self.values.get(variable, "").strip() == "yes"


def _missing(variable: str, question: str) -> UserError:
    return UserError(
        f"{variable} is not set",
        f"{question} Nobody can be asked: this is no terminal.",
        (f"{variable}=… make setup", "Or run   make setup   in a terminal."),
    )


@dataclass(frozen=True, slots=True)
class Person:
    """Asks at the terminal for what no variable says, and again after a wrong answer."""

    values: Mapping[str, str]
    write: Callable[[str], None]

    def text(self, variable: str, question: str, read: Callable[[str], T]) -> T:
        if self.values.get(variable):
            return Variables(self.values).text(variable, question, read)
        while True:
            try:
                return read(self._ask(question))
            except UserError as wrong:
                self.write(f"{wrong}\n")

    def hidden(self, variable: str, question: str, kept: str) -> str:
        given = self.values.get(variable, "").strip()
        return given or getpass(f"{question}: ").strip() or kept

    def choose(self, variable: str, what: str, options: Sequence[tuple[str, T]]) -> T:
        if self.values.get(variable):
            return Variables(self.values).choose(variable, what, options)
        if len(options) == 1:
            self.write(f"{what}: {options[0][0]}, the only one")
            return options[0][1]
        for number, (name, _) in enumerate(options, start=1):
            self.write(f"  {number:>3}  {name}")
        while True:
            answer = self._ask(f"{what}: its number, or a part of its name")
            if answer.isdigit() and 1 <= int(answer) <= len(options):
                return options[int(answer) - 1][1]
            found = find_option(answer, options)
            if len(found) == 1:
                return found[0][1]
            self.write(f"  {answer} is {'more than one' if found else 'none'} of them")

    def confirm(self, variable: str, question: str) -> bool:
        if self.values.get(variable):
            return Variables(self.values).confirm(variable, question)
        return self._ask(f"{question} Type yes") == "yes"

    def _ask(self, question: str) -> str:
        return input(f"{question}: ").strip()


def questions(write: Callable[[str], None]) -> Questions:
    return Person(os.environ, write) if sys.stdin.isatty() else Variables(os.environ)


def agrees_to_lose_data(question: str, command: str) -> bool:
    """Ask before data are gone; where nobody can be asked, say how `command` is agreed to."""
    try:
        return input(f"{question} Type yes: ") == "yes"
    except EOFError:
        if sys.stdin.isatty():
            raise
        print()
        raise UserError(
            "nobody answers",
            "It asks before data are gone, and this is no terminal. Nothing was changed.",
            (f"echo yes | {command}",),
        ) from None
