"""Who answers: a person at a terminal, or nobody: then options and what is there count."""

import getpass
import sys
from collections.abc import Callable
from typing import Protocol, TypeVar

import typer

from services.cli.setup.answers import AnswerError
from services.layers import ConfigurationError

T = TypeVar("T")


class Asker(Protocol):
    """Asks for one thing at a time."""

    asks: bool  # whether there is a person

    def ask(self, question: str, default: str, read: Callable[[str], T]) -> T: ...
    def hidden(self, question: str, read: Callable[[str], T]) -> T | None: ...
    def agreed(self, question: str, *, default: bool) -> bool: ...
    def say(self, text: str) -> None: ...


class Terminal:
    """A person; a wrong answer is explained, and asked for again."""

    asks = True

    def __init__(self) -> None:
        if not sys.stdin.isatty():
            raise AnswerError(
                "setup asks questions and there is no terminal to ask at: give the options and "
                "--yes, see ./chandler setup --help"
            )

    def ask(self, question: str, default: str, read: Callable[[str], T]) -> T:
        """The default is shown; Enter takes it."""
        while True:
            text = typer.prompt(question, default=default, show_default=bool(default))
            try:
                return read(str(text).strip())
            except ConfigurationError as error:
                self.say(f"  {error}")

    def hidden(self, question: str, read: Callable[[str], T]) -> T | None:
        """Not shown while it is typed; Enter alone is None."""
        while True:
            try:
                # Not typer's: it shows the question before it hides what is typed or pasted.
                text = getpass.getpass(f"{question}: ").strip()
            except EOFError:
                raise typer.Abort from None
            if not text:
                return None
            try:
                return read(text)
            except ConfigurationError as error:
                self.say(f"  {error}")

    def agreed(self, question: str, *, default: bool) -> bool:
        """y or n."""
        return typer.confirm(question, default=default)

    def say(self, text: str) -> None:
        typer.echo(text)


class Nobody:
    """With --yes: what is there already, or the defaults."""

    asks = False

    def ask(self, question: str, default: str, read: Callable[[str], T]) -> T:
        """AnswerError where the default is none."""
        return read(default)

    def hidden(self, question: str, read: Callable[[str], T]) -> T | None:
        return None

    def agreed(self, question: str, *, default: bool) -> bool:
        return default

    def say(self, text: str) -> None:
        typer.echo(text, err=True)
