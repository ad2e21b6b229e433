"""The number at the end of a command, by which Pulumi runs it again. docs/due-numbers.md explains it."""

import re
from dataclasses import dataclass

_FORM = re.compile(r"(\w+)/(\d+)(?:\.(\d+))?")


@dataclass(frozen=True)
class Due:
    machine: str  # the name of the installation
    repairs: int  # how often the host has drifted from the item
    resent: int | None = None  # seconds since 1970, where the host was given another document than the state holds

    def __str__(self) -> str:
        return f"{self.machine}/{self.repairs}" + ("" if self.resent is None else f".{self.resent}")

    @classmethod
    def parse(cls, text: str) -> "Due | None":
        """None for `never-asked`: the program did not look at the host."""
        found = _FORM.fullmatch(text)
        return found and cls(found[1], int(found[2]), None if found[3] is None else int(found[3]))


def after_drift(text: str, machine: str) -> str:
    """The number of an item that has drifted since it was given `text`."""
    due = Due.parse(text)
    return str(Due(due.machine, due.repairs + 1) if due else Due(machine, 0))
