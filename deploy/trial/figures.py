"""What was measured, with what it may be at most, and the table of it."""

from typing import NamedTuple


class Figure(NamedTuple):
    """One line of the table."""

    part: str
    what: str
    value: float | str
    unit: str = ""
    most: float | None = None  # None: nothing is demanded of it
    demanded: bool = True  # what a figure without a limit says of itself

    @property
    def well(self) -> bool:
        """Whether it is as it should be."""
        if self.most is not None and not isinstance(self.value, str):
            return self.value <= self.most
        return self.demanded

    @property
    def shown(self) -> str:
        """The value as people read it."""
        if isinstance(self.value, str):
            return self.value
        number = f"{self.value:.1f}" if self.value != int(self.value) else f"{int(self.value)}"
        return f"{number} {self.unit}".strip()

    @property
    def line(self) -> str:
        """For whoever watches it run."""
        limit = "" if self.most is None else f" (at most {self.most:g} {self.unit})"
        return f"{'ok  ' if self.well else 'FAIL'} {self.part}: {self.what}: {self.shown}{limit}"


def table(figures: list[Figure]) -> str:
    """All of them, in columns."""
    return "".join(f"{each.line}\n" for each in figures) + (
        f"figures={len(figures)} failed={sum(not each.well for each in figures)}\n"
    )
