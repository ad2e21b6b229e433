"""The due number at the end of a command; Pulumi runs the command again when it changes. See docs/due-numbers.md."""

import re
from dataclasses import dataclass

_FORM = re.compile(r"(\w+)/(\d+)(?:\.(\d+))?")


@dataclass(frozen=True)
class Due:
    machine: str  # the name of the installation
    repairs: int  # how often the host has drifted from the item
    resent: int | None = None  # seconds since 1970, if the host was given a document other than the one in the state

    def __str__(self) -> str:
        return f"{self.machine}/{self.repairs}" + ("" if self.resent is None else f".{self.resent}")

    @classmethod
    def parse(cls, text: str) -> "Due | None":
        """None for `never-asked`: the program did not query the host."""
        found = _FORM.fullmatch(text)
        return found and cls(found[1], int(found[2]), None if found[3] is None else int(found[3]))


def after_drift(text: str, machine: str) -> str:
    """The due number of an item that has drifted since it was given `text`."""
    due = Due.parse(text)
    return str(Due(due.machine, due.repairs + 1) if due else Due(machine, 0))
