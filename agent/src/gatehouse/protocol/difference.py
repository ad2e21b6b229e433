"""One way in which a host differs from what the last apply left."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal[
    "file", "directory", "drop-in", "runtime", "unit", "probe", "generation", "group", "account", "package", "other"
]


@dataclass(frozen=True)
class Difference:
    """Two are the same if they are about the same thing, whatever their messages say."""

    kind: Kind
    name: str  # the path, unit, probe, group, account, package or release that differs
    what: str  # how it differs, in one word such as `missing`, `content` or `inactive`
    message: str = field(compare=False)  # the same for people, in one line
    diff: str = field(default="", compare=False)  # what changed in a file, without secrets
    now: Mapping[str, int] = field(default_factory=dict)  # numbers that it has now, such as `gid`

    def __str__(self) -> str:
        return f"{self.message}\n{self.diff}" if self.diff else self.message

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> "Difference":
        """From JSON."""
        return cls(**found)

    def json(self) -> dict[str, object]:
        return asdict(self)
