"""The questions, in order: profile, symbols, engines, alerts only, balance, Telegram, keys."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from chandler.exchanges.bitget.trade.keys import FIELDS, Keys
from chandler.streams.settings import Installation
from services.cli.setup import answers, changes
from services.cli.setup.answers import AnswerError
from services.cli.setup.askers import Asker
from services.cli.setup.bot import Bot, BotError, BotUnreachable, TokenRefused
from services.cli.setup.changes import Person
from services.cli.setup.standing import Standing, kept_keys, offered_keys, same
from services.layers import lookup, merge
from services.notifier.token import FILE_VARIABLE, VARIABLE, checked, token_in, token_of
from services.profile import Profile, TelegramConfig
from services.telegram import api_url
from services.watchdog.preflight.secrets import accounts_with_keys

BOT, STAND_IN, NONE = "bot", "stand-in", "none"
USER = "you"


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """The options; None: asked for. No secret is among them, only where one is."""

    symbols: str | None = None
    engines: str | None = None
    balance: str | None = None
    telegram: str | None = None
    api_url: str | None = None
    user: str | None = None
    telegram_id: str | None = None
    role: str | None = None
    agents: str | None = None
    alerts_only: bool | None = None
    token_file: Path | None = None
    keys_files: dict[str, Path] = {}  # by account
    replace: bool = False  # a token or keys that are there


class Secrets:
    """What is to be written beside the profile. Never printed."""

    __slots__ = ("keys", "token")

    def __init__(self) -> None:
        self.token = ""  # "": as it is
        self.keys: dict[str, Keys] = {}  # by the name of the file

    def __repr__(self) -> str:
        return "Secrets(hidden)"


class Questions:
    """One run through all of them; `values`, `person`, `bot` and `secrets` are what comes out."""

    def __init__(
        self,
        installation: Installation,
        environ: Mapping[str, str],
        standing: Standing,
        given: Given,
        asker: Asker,
    ) -> None:
        self.values: dict[str, Any] = {}  # changes of the profile
        self.person: Person | None = None
        self.bot: Bot | None = None  # None: nobody is written to
        self.unchecked = ""  # why nothing is known of a token that is taken
        self.secrets = Secrets()
        self._installation = installation
        self._environ = environ
        self._standing = standing
        self._given = given
        self._asker = asker

    def ask_all(self) -> None:
        """AnswerError, BotError, AccountError: an answer that can't be used and asked again."""
        self._ask_profile()
        self._ask_telegram()
        accounts = accounts_with_keys(self._planned)
        for account in self._given.keys_files:
            if account not in accounts:
                raise AnswerError(
                    f"--keys-file {account}: no live agent trades on it, expected one of "
                    f"{', '.join(accounts) or 'none in this profile'}"
                )
        for account, name in accounts.items():
            self._ask_keys(account, name)

    def _ask_profile(self) -> None:
        current, given = self._standing.current, self._given
        listed = ",".join(current.ingest.symbols) or str(current.ingest.top)
        wanted = self._asked(
            given.symbols, "symbols: how many, or their names", listed, answers.symbols
        )
        self._change(changes.of_symbols(wanted, current))
        known = sorted(current.engines)
        enabled = ",".join(name for name in known if current.engines[name].enabled)
        read = answers.at_least_one(answers.some_of(known))
        engines = self._asked(
            given.engines, f"engines, of {', '.join(known)}", enabled or answers.ALL, read
        )
        self._change(changes.of_engines(engines, self._standing.ground, current))
        self._ask_trading(engines)
        if any(agent.enabled and agent.mode == "paper" for agent in self._planned.agents.values()):
            amount: Decimal | None = self._asked(
                given.balance, "start balance of each paper agent (Enter: as it is)", "",
                answers.balance,
            )  # fmt: skip
            if amount is not None:
                self._change(changes.of_balance(amount, self._planned))
        elif given.balance is not None:
            raise AnswerError("--balance: the profile has no enabled agent with paper money")

    def _ask_trading(self, engines: list[str]) -> None:
        """Whether the profile's agents trade, or signals are told and nobody trades."""
        ground, current, given = self._standing.ground, self._standing.current, self._given
        if not (ground.trades or current.trades or current.agents.keys() - ground.agents.keys()):
            return
        alerts_only = given.alerts_only
        if alerts_only is None and given.agents == NONE:
            alerts_only = True
        if alerts_only is None:
            question = "alerts only: signals are told, and nobody trades?"
            alerts_only = self._asker.agreed(question, default=not current.trades)
        if alerts_only:
            self._change(changes.of_nobody(self._planned))
        elif not self._planned.trades:
            self._change(changes.of_agents(engines, ground, self._planned))

    @property
    def _planned(self) -> Profile:
        """The profile with what was answered so far, as far as agents go."""
        current = self._standing.current
        agents = {
            name: msgspec.structs.replace(
                agent, enabled=value if isinstance(value, bool) else agent.enabled
            )
            for name, agent in current.agents.items()
            for value in (lookup(self.values, f"agents.{name}.enabled"),)
        }
        return msgspec.structs.replace(current, agents=agents)

    def _ask_telegram(self) -> None:
        telegram = self._standing.current.telegram
        ways = [STAND_IN, BOT] if self._standing.ground.telegram.stand_in else [BOT, NONE]
        way = self._asked(
            self._given.telegram,
            f"Telegram, one of {', '.join(ways)}",
            self._usual_way(telegram),
            answers.one_of(ways),
        )
        if way == NONE and self._names_somebody():
            raise AnswerError("--telegram none: expected neither a user nor a token beside it")
        url = telegram.api_url if self._given.api_url is None else self._given.api_url
        if way == NONE:
            return
        self._change(changes.of_telegram(way == STAND_IN, url, self._standing.current))
        if way == BOT:
            self._ask_token(TelegramConfig(api_url=url))
        if way == BOT or self._given.user is not None:
            self._ask_person()
        if way == BOT:
            self._refuse_strangers()

    def _usual_way(self, telegram: TelegramConfig) -> str:
        if telegram.stand_in and not self._given.token_file:
            return STAND_IN
        offers = (self._names_somebody(), self._in_environ(), self._kept_token())
        return BOT if self._asker.asks or any(offers) else NONE

    def _names_somebody(self) -> bool:
        given = self._given
        named = (given.token_file, given.user, given.telegram_id, given.role, given.agents)
        return any(each is not None for each in named)

    def _ask_token(self, telegram: TelegramConfig) -> None:
        url = api_url(self._installation, telegram)
        offered, kept = self._offered_token(), self._kept_token()
        if offered and kept and offered != kept:
            self._agree_to_replace("telegram.token holds another token")
        token = offered or kept
        if kept and not offered and self._asker.asks:
            kept_well = self._asker.agreed("a token is there already, keep it?", default=True)
            token = kept if kept_well else ""
        while True:
            typed = None
            if not token:
                typed = self._asker.hidden(
                    "the bot's token (not shown; Enter: later)", lambda text: checked(text, "that")
                )
                token = typed or ""
            if not token:
                self._asker.say("no token: nobody is told anything until there is one")
                return
            try:
                self._meet(Bot(url, token))
            except TokenRefused as error:
                if typed is None:
                    raise
                self._asker.say(f"  {error}")
                token = ""
                continue
            self.secrets.token = "" if token == kept else token
            return

    def _meet(self, bot: Bot) -> None:
        """Asks the server who the token is. Where it is away, that is said and the token taken."""
        try:
            self._asker.say(f"the token is @{bot.look()}'s")
        except BotUnreachable as error:
            self.unchecked = str(error)
            self._asker.say(f"the token is not checked: {error}")
            return
        self.bot = bot

    def _offered_token(self) -> str:
        if self._given.token_file is not None:
            return token_in(self._given.token_file)
        return token_of(self._installation, Profile(), self._environ) if self._in_environ() else ""

    def _in_environ(self) -> bool:
        return any(self._environ.get(name, "").strip() for name in (FILE_VARIABLE, VARIABLE))

    def _kept_token(self) -> str:
        return token_of(self._installation, Profile(), {})

    def _ask_person(self) -> None:
        current, given = self._standing.current, self._given
        first = next(iter(self._standing.on_telegram), "")
        usual = first or next(iter(self._standing.strangers), USER)
        named = (given.user, given.telegram_id, given.role, given.agents)
        if not self._asker.asks and all(each is None for each in named):
            return
        name = self._asked(given.user, "your name here", usual, answers.name)
        old = current.users.get(name)
        known = (
            "" if old is None or name in self._standing.strangers else str(old.telegram_id or "")
        )
        number = self._ask_id(known)
        role = self._asked(
            given.role, f"role, one of {', '.join(answers.ROLES)}",
            old.role if old is not None else "owner", answers.one_of(answers.ROLES),
        )  # fmt: skip
        agents = old.agents if old is not None else []
        wanted = None if given.agents == NONE else given.agents
        if wanted is not None or (role != "owner" and self._planned.trades):
            agents = self._asked(
                wanted, "agents, of " + ", ".join(current.agents), ",".join(agents) or "all",
                answers.some_of(list(current.agents)),
            )  # fmt: skip
            if role == "operator" and len(agents) == len(current.agents):
                agents = []  # all, those to come too
        (read_role,) = (each for each in answers.ROLES if each == role)
        self.person = Person(name=name, telegram_id=number, role=read_role, agents=agents)

    def _ask_id(self, known: str) -> int:
        if self._given.telegram_id is not None:
            return answers.telegram_id(self._given.telegram_id)
        if not self._asker.asks:
            return answers.telegram_id(known)
        while True:
            question = "your Telegram id, a number" + ("" if known else " (Enter: find it)")
            text = self._asker.ask(question, known, str)
            if text:
                try:
                    return answers.telegram_id(text)
                except AnswerError as error:
                    self._asker.say(f"  {error}")
                    continue
            found = self._writers()
            for number, name in found.items():
                self._asker.say(f"  {number} wrote to the bot as {name!r}")
            known = str(next(iter(found))) if len(found) == 1 else known

    def _writers(self) -> dict[int, str]:
        if self.bot is None:
            self._asker.say("  it can't be found without the bot's token")
            return {}
        self._asker.ask(f"write /start to @{self.bot.username} now, then press Enter", "", str)
        try:
            found = self.bot.writers()
        except BotError as error:
            self._asker.say(f"  {error}")
            return {}
        if not found:
            self._asker.say("  nobody has written to the bot yet")
        return found

    def _refuse_strangers(self) -> None:
        """A stand-in's users may not come along to a real bot: somebody else has their numbers."""
        own = {self.person.name} if self.person is not None else set()
        left = [name for name in self._standing.strangers if name not in own]
        if left:
            raise AnswerError(
                f"profile {self._standing.base} names {', '.join(left)} for its stand-in, who "
                f"would command your bot: name yourself {left[0]}, or extend another profile"
            )

    def _ask_keys(self, account: str, name: str) -> None:
        file = self._given.keys_files.get(account)
        offered = offered_keys(self._installation, self._environ, name, file)
        kept = kept_keys(self._installation, name)
        if offered is not None:
            if kept is not None and not same(kept, offered):
                self._agree_to_replace(f"account {account} has other keys")
            if not same(kept, offered):
                self.secrets.keys[name] = offered
            return
        if kept is not None and (
            not self._asker.asks
            or self._asker.agreed(f"account {account} has its keys, keep them?", default=True)
        ):
            return
        parts = []
        for field in FIELDS:
            part = self._asker.hidden(
                f"account {account}, {field} (not shown; Enter: later)", answers.key_part
            )
            if part is None:
                self._asker.say(f"account {account} has no keys yet: it can't trade without")
                return
            parts.append(part)
        self.secrets.keys[name] = Keys(*parts)

    def _agree_to_replace(self, what: str) -> None:
        if self._given.replace:
            return
        if not (self._asker.asks and self._asker.agreed(f"{what}, replace it?", default=False)):
            raise AnswerError(f"{what}: nothing is overwritten unasked, say --replace")

    def _asked(self, given: str | None, question: str, default: str, read: Any) -> Any:
        """The option where there is one, else the answer."""
        return (
            read(given.strip()) if given is not None else self._asker.ask(question, default, read)
        )

    def _change(self, values: dict[str, Any]) -> None:
        self.values = merge(self.values, values)
