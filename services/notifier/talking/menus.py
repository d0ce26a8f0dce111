"""Menus: pages with buttons. A button's data is a line as somebody would write it."""

from chandler.core.notices.inputs import Button
from chandler.core.notices.text import Line
from services.notifier.talk import Reply
from services.notifier.talking.arguments import missing, name_among
from services.notifier.talking.commands import COMMANDS, commands_for, example_of, may, similar
from services.notifier.talking.known import Person
from services.notifier.talking.reading import UnclearError, quoted

DATA_BYTES_MAX = 64  # of a button, as Telegram takes it
BUTTONS_MAX = 60  # of one page; Telegram takes 100
LABEL_MAX = 40  # characters

MAIN = (
    ("Status", "/status"),
    ("Positions", "/positions"),
    ("Balance", "/balance"),
    ("Statistics", "/help stats"),
    ("Orders", "/orders"),
    ("Why no trade", "/refusals"),
    ("Signals", "/signals"),
    ("Market", "/market"),
    ("Digest", "/digest"),
    ("Start trading", "/go"),
    ("Stop trading", "/stop"),
    ("Close all", "/closeall"),
    ("Agents …", "/help agents"),
    ("Engines …", "/help engines"),
    ("Notices …", "/notices"),
    ("Mute …", "/mute"),
    ("Logs …", "/help logs"),
    ("Crashes", "/crashes"),
)
OF_AGENT = (
    ("Positions", "/positions {0}"),
    ("Balance", "/balance {0}"),
    ("Statistics", "/stats {0}"),
    ("Orders", "/orders {0}"),
    ("Why no trade", "/refusals {0}"),
    ("Switches", "/agents {0}"),
    ("Start trading", "/go {0}"),
    ("Stop trading", "/stop {0}"),
    ("Close all", "/closeall {0}"),
    ("Buying on", "/buying on {0}"),
    ("Buying off", "/buying off {0}"),
    ("Selling on", "/selling on {0}"),
    ("Selling off", "/selling off {0}"),
    ("Back", "/help agents"),
)
OF_ENGINE = (
    ("Signals", "/signals {0}"),
    ("Pause", "/pause {0}"),
    ("Resume", "/resume {0}"),
    ("Back", "/help engines"),
)
OF_STATS = (
    ("Day", "/stats day"),
    ("Week", "/stats week"),
    ("Month", "/stats month"),
    ("All", "/stats all"),
    ("By agent", "/stats all by agent"),
    ("By engine", "/stats all by engine"),
    ("By symbol", "/stats all by symbol"),
)


def button(text: str, data: str) -> Button | None:
    """A button; None where its line is too long for one: it can still be written."""
    if len(data.encode()) > DATA_BYTES_MAX:
        return None
    return Button(text=text if len(text) <= LABEL_MAX else f"{text[: LABEL_MAX - 1]}…", data=data)


def rows(buttons: list[Button | None], width: int) -> list[list[Button]]:
    """Buttons side by side, those that there are."""
    there = [each for each in buttons if each is not None][:BUTTONS_MAX]
    return [there[at : at + width] for at in range(0, len(there), width)]


def start(person: Person) -> Reply:
    """The main menu."""
    lines = [
        Line(f"Chandler: {person.name}, {person.user.role}", "bold"),
        Line("Tap, or write a command: /help lists them."),
    ]
    return Reply(lines=lines, buttons=_page(person, MAIN))


def help_on(person: Person, words: list[str]) -> Reply:
    """`[COMMAND]`, or a page of the menus: agents, agent NAME, engines, engine NAME."""
    if not words:
        listed = [
            Line(f"/{name} {COMMANDS[name].usage}".rstrip() + f": {COMMANDS[name].words}")
            for name, _ in commands_for(person.user.role)
        ]
        return Reply(lines=[Line("Commands", "bold"), *listed], buttons=_page(person, MAIN))
    page, name = words[0].casefold().removeprefix("/"), " ".join(words[1:])
    if page == "agent" or (page == "agents" and name):
        agent = name_among(person.agents, name)
        if agent is None:
            raise missing("agent", name, person.agents)
        return Reply(lines=[Line(f"Agent {agent}", "bold")], buttons=_page(person, OF_AGENT, agent))
    if page == "engine" or (page == "engines" and name):
        engine = name_among(person.talking.engines, name)
        if engine is None:
            raise missing("engine", name, person.talking.engines)
        return Reply(
            lines=[Line(f"Engine {engine}", "bold")], buttons=_page(person, OF_ENGINE, engine)
        )
    if page == "agents":
        return _names("Agents", person.agents, "/help agent {0}")
    if page == "engines":
        return _names("Engines", person.talking.engines, "/help engine {0}")
    return _command(person, page)


def choices(person: Person, name: str) -> list[list[Button]]:
    """Buttons with what may follow a bare command."""
    talking = person.talking
    if not may(person.user.role, COMMANDS[name].role):
        return []
    if name == "stats":
        return rows([button(text, line) for text, line in OF_STATS], 4)
    words: tuple[str, ...] = ()
    if name in ("trading", "buying", "selling"):
        words = ("on", "off")
    elif name in ("pause", "resume"):
        words = talking.engines
    elif name in ("close", "resolve"):
        words = person.agents
    elif name == "logs":
        words = (*talking.halves, *talking.services)
    elif name == "restart":
        words = talking.services
    return rows([button(each, f"/{name} {each}") for each in words], 3)


def unclear(person: Person, name: str, error: str, *, bare: bool) -> Reply:
    """What is wrong with a command, how it is written, and an example."""
    lines = [
        Line(f"/{name}: {error}"),
        Line(f"Expected: /{name} {COMMANDS[name].usage}".rstrip()),
        Line(f"Example: {example_of(person, name)}"),
    ]
    return Reply(lines=lines, buttons=choices(person, name) if bare else [])


def unknown(person: Person, text: str) -> Reply:
    """That something is no command."""
    word = (text.split(maxsplit=1) or [""])[0]
    slash = word.startswith("/")
    guess = similar(person.user.role, word.removeprefix("/"), slash=slash)
    return Reply(lines=[Line(f"{quoted(word)} is no command{guess}. /help lists them.")])


def _command(person: Person, name: str) -> Reply:
    about = COMMANDS.get(name)
    if about is None or not may(person.user.role, about.role):
        guess = similar(person.user.role, name)
        raise UnclearError(f"{quoted(name)} is no command of yours{guess}")
    lines = [
        Line(f"/{name} {about.usage}".rstrip(), "bold"),
        Line(about.words),
        Line(f"Example: {example_of(person, name)}"),
    ]
    return Reply(lines=lines, buttons=choices(person, name))


def _names(head: str, names: tuple[str, ...], line: str) -> Reply:
    """A page with a button for each name; those without one are written."""
    taps = {each: button(each, line.format(each)) for each in names[:BUTTONS_MAX]}
    without = [each for each in names if taps.get(each) is None]
    lines = [Line(head if names else f"{head}: there are none", "bold")]
    if without:
        lines.append(Line(f"Without a button: {', '.join(without)}"))
        lines.append(Line(f"Write {line.format('NAME')}"))
    back = [button("Back", "/start")]
    return Reply(lines=lines, buttons=[*rows(list(taps.values()), 3), *rows(back, 1)])


def _page(person: Person, page: tuple[tuple[str, str], ...], name: str = "") -> list[list[Button]]:
    """A page's buttons that the person may use."""
    made = []
    for text, line in page:
        command = line.split()[0].removeprefix("/")
        if command == "help" and line.split()[1] in COMMANDS:
            command = line.split()[1]
        if may(person.user.role, COMMANDS[command].role):
            made.append(button(text, line.format(name)))
    return rows(made, 3)
