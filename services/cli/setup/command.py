"""`setup`: from nothing to a profile of one's own, a bot that answers, and keys in their place."""

import os
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import typer

from chandler.core.notices.routing import faults
from chandler.exchanges.bitget.trade.keys import load_keys
from chandler.streams.settings import Installation
from services.cli.config import to_toml
from services.cli.setup import answers, writing
from services.cli.setup.answers import AnswerError
from services.cli.setup.askers import Asker, Nobody, Terminal
from services.cli.setup.asking import Given, Questions
from services.cli.setup.bot import BotError, ChatUnknown
from services.cli.setup.changes import Person, differences, of_person
from services.cli.setup.standing import (
    Standing,
    base_of,
    own_file,
    profiles,
    resolved,
    standing,
)
from services.cli.setup.standing import keys_file as where_keys_are
from services.exits import FAILED, WELL
from services.layers import ConfigurationError, installation_file, merge, profile_path
from services.notifier.token import token_file as where_the_token_is
from services.notifier.token import token_of
from services.runner import installed

NAME = "own"
SENT = "sent"
NOT_SENT = "not sent: "


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints; no secret."""

    profile: str
    written: list[str]
    bot: str = ""  # its name at Telegram; "" where it was not asked
    checked: bool | None = None  # whether its server knows the token; None: there is no token
    message: str = ""  # "sent", or "not sent: " and why; "" where none was to be sent


class Plan(NamedTuple):
    """What will be written, and what a person is shown of it."""

    files: dict[Path, str]
    shown: list[str]


def setup(
    profile: Annotated[str | None, typer.Option(help="what yours extends: demo, a .toml …")] = None,
    name: Annotated[str | None, typer.Option(help="of your own profile")] = None,
    symbols: Annotated[str | None, typer.Option(help="how many, or names with commas")] = None,
    engines: Annotated[str | None, typer.Option(help="names with commas, or all")] = None,
    balance: Annotated[str | None, typer.Option(help="of each paper agent at the start")] = None,
    telegram: Annotated[str | None, typer.Option(help="bot, stand-in or none")] = None,
    api_url: Annotated[str | None, typer.Option(help="of a Bot API server of your own")] = None,
    token_file: Annotated[Path | None, typer.Option(help="with the bot's token")] = None,
    user: Annotated[str | None, typer.Option(help="your name here")] = None,
    telegram_id: Annotated[str | None, typer.Option(help="your number at Telegram")] = None,
    role: Annotated[str | None, typer.Option(help="viewer, operator or owner")] = None,
    agents: Annotated[
        str | None, typer.Option(help="whose figures you see; or all. none: as --alerts-only")
    ] = None,
    alerts_only: Annotated[
        bool | None, typer.Option(help="signals are told, and nobody trades")
    ] = None,
    keys_file: Annotated[
        list[str] | None, typer.Option(help="ACCOUNT=FILE with key, secret, passphrase")
    ] = None,
    message: Annotated[bool, typer.Option(help="sends you a test message")] = True,
    replace: Annotated[bool, typer.Option(help="a token or keys that are there")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="asks nothing")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for programs; asks nothing")] = False,
) -> int:
    """Asks what an installation needs, checks it, writes it; secrets with mode 0600."""
    given = Given(
        symbols=symbols,
        engines=engines,
        balance=balance,
        telegram=telegram,
        api_url=api_url,
        user=user,
        telegram_id=telegram_id,
        role=role,
        agents=agents,
        alerts_only=alerts_only,
        token_file=token_file,
        keys_files=_by_account(keys_file or []),
        replace=replace,
    )
    asker: Asker = Nobody() if yes or as_json else Terminal()
    there = _standing(installed(), asker, profile, name)
    return _set_up(there, given, asker, message=message, as_json=as_json)


def _set_up(there: Standing, given: Given, asker: Asker, *, message: bool, as_json: bool) -> int:
    """Asks, writes, tells; the exit status."""
    installation = installed()
    questions = Questions(installation, os.environ, there, given, asker)
    questions.ask_all()
    plan = _plan(installation, there, questions)
    for line in plan.shown:
        asker.say(f"  {line}")
    if plan.files and not asker.agreed("write this?", default=True):
        asker.say("nothing is written")
        return FAILED
    _write(installation, there, questions, plan)
    said = _message(questions, there, asker) if message else ""
    report = Report(
        profile=there.name,
        written=[str(path) for path in plan.files],
        bot=questions.bot.username if questions.bot is not None else "",
        checked=_checked(questions),
        message=said,
    )
    _tell(installation, there, report, as_json=as_json)
    return FAILED if said not in ("", SENT) or report.checked is False else WELL


def _checked(questions: Questions) -> bool | None:
    if questions.unchecked:
        return False
    return None if questions.bot is None else True


def _by_account(words: list[str]) -> dict[str, Path]:
    found = {}
    for word in words:
        account, equals, file = word.partition("=")
        if not (account and equals and file):
            raise AnswerError("--keys-file: expected ACCOUNT=FILE, a file with the account's keys")
        found[account] = Path(file)
    return found


def _standing(
    installation: Installation, asker: Asker, profile: str | None, name: str | None
) -> Standing:
    """What is there for the profile that is asked for."""
    usual = base_of(installation, name or NAME) or installation.profile

    def known(text: str) -> str:
        profile_path(text, installation)
        return text

    def own(text: str) -> str:
        own_file(installation, answers.name(text))
        return text

    listed = ", ".join(profiles(installation))
    question = f"profile to begin with, of {listed}, or a .toml"
    base = known(profile) if profile is not None else asker.ask(question, usual, known)
    mine = own(name) if name is not None else asker.ask("name of your own profile", NAME, own)
    if mine == base:  # it is changed, and extends what it did
        base = base_of(installation, mine)
    return standing(installation, os.environ, base, mine)


def _plan(installation: Installation, there: Standing, questions: Questions) -> Plan:
    """The files that will change."""
    files: dict[Path, str] = {}
    head = {"name": there.name, "extends": there.base}
    values = merge(head, merge(there.values, questions.values) | head)
    shown = []
    if values != there.written:
        files[there.file] = writing.profile_text(values)
        if there.written and not there.values:
            extended = there.written.get("extends", "nothing")
            shown.append(f"{there.name} extends {extended}: it is written anew")
        shown += [f"{there.name}: {line}" for line in differences(there.values, values)]
    if questions.person is not None:
        config = merge(there.installed, of_person(questions.person))
        if config != there.installed:
            files[installation_file(installation)] = to_toml(config)
            shown += [f"config.toml: {line}" for line in differences(there.installed, config)]
    if questions.secrets.token:
        files[where_the_token_is(installation)] = questions.secrets.token + "\n"
        shown.append("telegram.token: the bot's token, mode 0600")
    for name, keys in questions.secrets.keys.items():
        files[where_keys_are(installation, name)] = writing.keys_text(keys)
        shown.append(f"keys/{name}.toml: key, secret, passphrase, mode 0600")
    return Plan(files, shown)


def _write(installation: Installation, there: Standing, questions: Questions, plan: Plan) -> None:
    """All of it, or nothing: what the next `up` would refuse is not left behind."""

    def check() -> None:
        profile = resolved(installation, os.environ, there.name)
        for line in faults(profile.users):
            raise ConfigurationError(line)
        token_of(installation, profile, {})
        for name in questions.secrets.keys:
            load_keys(name, installation.data, {})

    if there.file in plan.files:
        writing.keep_before(there.file, writing.profile_text(there.values))
    writing.write(plan.files, check)


def _message(questions: Questions, there: Standing, asker: Asker) -> str:
    """Writes to the person who was named, else to the first that is known; SENT, or why not."""
    bot, person = questions.bot, questions.person
    if questions.unchecked:
        return f"{NOT_SENT}{questions.unchecked}"
    known = {person.name: person.telegram_id} if person is not None else there.on_telegram
    if bot is None or not known:
        return ""
    name, number = next(iter(known.items()))
    while True:
        try:
            bot.send(number, _text(person, name, there.name))
        except ChatUnknown as error:
            asker.say(str(error))
            if asker.asks and asker.agreed("done?", default=True):
                continue
            return f"{NOT_SENT}{error}"
        except BotError as error:
            return f"{NOT_SENT}{error}"
        return SENT


def _text(person: Person | None, name: str, profile: str) -> str:
    role = f", {person.role}" if person is not None else ""
    return f"Chandler is set up: profile {profile}, you are {name}{role}. /start shows what I can."


def _tell(installation: Installation, there: Standing, report: Report, *, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(report).decode())
        return
    for path in report.written:
        typer.echo(f"written: {path}")
    if not report.written:
        typer.echo("nothing has changed")
    if report.message:
        typer.echo(f"test message {report.message}")
    if there.current.simulator is None and (installation.data / "kafka" / "records").is_dir():
        typer.echo(
            f"{installation.data} holds topics already: candles of the simulator and of a real "
            "venue don't mix, use another CHANDLER_DATA if those are the simulator's"
        )
    typer.echo(f"next: ./chandler preflight --profile {there.name}")
    typer.echo(f"then: ./chandler up --profile {there.name}")
