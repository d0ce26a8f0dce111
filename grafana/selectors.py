"""Which metrics a PromQL expression asks for, and which of those that exist no dashboard shows.

Knows nothing of Prometheus' answers.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

Matcher = tuple[str, str, str]  # label, how (= != =~ !~), value

UNSHOWN = {  # metrics that no dashboard shows, each with its reason
    "process_virtual_memory_bytes": "address space that is reserved says nothing of use",
}
NO_METRICS = {"bool", "or", "and", "unless"}  # and whatever stands before a parenthesis


def selectors(expr: str) -> Iterator[tuple[str, list[Matcher]]]:
    """(metric or "", its matchers) of every selector in PromQL."""
    bare = re.sub(r"\b(by|on|ignoring|without|group_left|group_right)\s*\([^)]*\)", " ", expr)
    strings = re.findall(r'"[^"]*"', bare)
    held = re.sub(r'"[^"]*"', "§", bare)
    held = re.sub(r"\[[^\]]*\]|\boffset \w+", " ", held)
    at = 0
    for found in re.finditer(
        r"§|([A-Za-z_][\w:]*)?\s*\{([^}]*)\}|([A-Za-z_][\w:]*+)(?!\s*\()", held
    ):
        if found[0] == "§":
            at += 1
        elif found[2] is not None:
            matchers = []
            for label, how in re.findall(r"(\w+)\s*(=~|!~|!=|=)\s*§", found[2]):
                matchers.append((label, how, strings[at].strip('"')))
                at += 1
            yield "" if found[1] in NO_METRICS else found[1] or "", matchers
        elif found[3] not in NO_METRICS:
            yield found[3], []


def meant(name: str, matchers: Iterable[Matcher], exported: Iterable[str]) -> set[str]:
    """The exported metrics that a selector can find."""
    found = {name} if name else set(exported)
    for label, how, value in matchers:
        if label == "__name__":
            wanted = how in ("=", "=~")
            found = {each for each in found if bool(re.fullmatch(value, each)) == wanted}
    return found


def written(name: str, matchers: Iterable[Matcher]) -> str:
    """The selector as PromQL."""
    return name + "{" + ", ".join(f'{label}{how}"{value}"' for label, how, value in matchers) + "}"


def unshown(
    shown: Iterable[str], recorded: Mapping[str, str], exported: Iterable[str]
) -> tuple[list[str], list[str]]:
    """What is exported that neither `shown` nor the rules behind it ask for, with no reason.

    Then the reasons that hold no longer: of what nobody exports, or what is shown.
    """
    asked: set[str] = set()
    waiting = list(shown)
    while waiting:
        for name, matchers in selectors(waiting.pop()):
            if name in recorded:
                waiting.append(recorded[name])
            else:
                asked |= meant(name, matchers, exported)
    stems = {stem(name) for name in asked}
    wanted = {stem(name) for name in exported}
    return sorted(wanted - stems - set(UNSHOWN)), sorted(set(UNSHOWN) - (wanted - stems))


def stem(name: str) -> str:
    """The metric of a histogram's series."""
    return re.sub(r"_(bucket|sum|count)$", "", name)
