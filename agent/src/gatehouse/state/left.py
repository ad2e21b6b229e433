"""The state that a generation left on the host, against which drift is measured."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from gatehouse.protocol.difference import Difference
from gatehouse.protocol.document import remembered


class Access(NamedTuple):
    """Mode and owner of a file or directory."""

    mode: int
    uid: int
    gid: int


class Mark(NamedTuple):
    """A file's checksum and access."""

    sha256: str
    mode: int
    uid: int
    gid: int


@dataclass(frozen=True)
class Left:
    files: dict[str, Mark] = field(default_factory=dict)  # by path
    folders: dict[str, Access] = field(default_factory=dict)  # by path
    enabled: list[str] = field(default_factory=list)  # units that the release has enabled, in any generation
    kept: dict[str, str] = field(default_factory=dict)  # by path: content, in hex, that the host keeps as its own
    endures: list[Difference] = field(default_factory=list)  # differences that remained after the restarts
    changed: list[str] | None = None  # the paths that this generation changed; None: an older agent did not record it
    applied: float | None = None  # time; None as with `changed`

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> "Left":
        """From JSON."""
        left = remembered(cls, found)
        return replace(
            left,
            files={path: Mark(*mark) for path, mark in left.files.items()},
            folders={path: Access(*access) for path, access in left.folders.items()},
            # Older agents recorded only messages.
            endures=[Difference.read(one) for one in found.get("endures", []) if isinstance(one, dict)],
        )

    def json(self) -> dict[str, object]:
        return asdict(self)
