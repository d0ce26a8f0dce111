"""What no file of the tree says, and what the glossary must."""

import re

from chandler.core import events
from chandler.core.desk import eligibility
from chandler.core.trading import events as trading
from chandler.streams.catalogue import TOPICS
from services.cli.render import stem
from tests.project.tree import ROOT, files, shown, text_files

OPEN_ENDS = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
REGISTRIES = re.compile(
    r"(pypi\.(python\.)?org|files\.pythonhosted|repo1?\.maven|registry\.npm|crates\.io|ghcr\.io)"
)
PATHS = re.compile(r"(?<![\w.$}/-])/(home|root|Users|work)/\w")
REGISTRIES_ALLOWED = {"uv.lock", "tests/project/test_words.py"}


CURES = (
    (OPEN_ENDS, "do it now, or open an issue"),
    (REGISTRIES, "leave the registry to its client"),
    (PATHS, "an absolute path of one machine, make it relative"),
)


def test_no_file_has_an_open_end_or_a_place_of_one_machine():
    faults = [
        f"{shown(path)}:{number}: {cure}"
        for path in text_files()
        if shown(path) not in REGISTRIES_ALLOWED
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        for pattern, cure in CURES
        if pattern.search(line)
    ]

    assert not faults, "\n".join(faults)


def test_the_glossary_has_every_event_and_every_topic():
    glossary = (ROOT / "docs" / "glossary.md").read_text()
    names = {
        name
        for module in (events, trading)
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, events.Event) and value is not events.Event
    }
    wanted = names | {stem(topic.name) for topic in TOPICS}
    missing = sorted(name for name in wanted if f"`{name}`" not in glossary)

    assert not missing, f"docs/glossary.md lacks {missing}: add a line for each"


def test_every_reason_of_a_refusal_is_explained_in_the_order_of_the_checks():
    lines = (ROOT / "docs" / "refusals.md").read_text().splitlines()
    rows = [line.split("|")[1:3] for line in lines if line.startswith("| `")]

    assert [reason.strip(" `") for reason, _ in rows] == list(eligibility.REASONS)
    closes = {reason.strip(" `") for reason, mark in rows if mark.strip()}
    assert closes == eligibility.CLOSING


def test_the_picture_of_the_topology_is_as_the_declarations_say():
    from services.cli.render import render

    assert render(check=True) == 0, "run ./chandler render"


def test_no_link_in_the_documents_leads_nowhere():
    for path in files("*.md"):
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text()):
            assert (path.parent / target).exists(), f"{shown(path)} links to {target}: not there"
