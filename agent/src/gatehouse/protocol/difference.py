"""A difference between a host and the state that the last apply left."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal[
    "file",
    "directory",
    "drop-in",
    "runtime",
    "unit",
    "probe",
    "generation",
    "group",
    "account",
    "package",
    "key",
    "other",
]


@dataclass(frozen=True)
class Difference:
    """Two differences are equal if they concern the same thing, regardless of their messages."""

    kind: Kind
    name: str  # the path, unit, probe, group, account, package, key or release that differs
    what: str  # the kind of difference, in one word such as `missing`, `content` or `inactive`
    message: str = field(compare=False)  # for display, in one line
    diff: str = field(default="", compare=False)  # the changes in a file, without secrets
    now: Mapping[str, int] = field(default_factory=dict)  # its current numbers, such as `gid`

    def __str__(self) -> str:
        return f"{self.message}\n{self.diff}" if self.diff else self.message

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> "Difference":
        """From JSON."""
        return cls(**found)

    def json(self) -> dict[str, object]:
        return asdict(self)
