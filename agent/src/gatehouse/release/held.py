"""The contents of a service right before a restart, as recorded in the journal."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gatehouse.protocol.document import remembered
from gatehouse.protocol.manifest import Holding


@dataclass(frozen=True)
class Before:
    """The counts, and the settings of a Valkey; None for anything that could not be counted."""

    counts: dict[str, int] | None = None  # by name
    keys: int | None = None
    appendonly: bool = False
    evicts: bool = False


@dataclass(frozen=True)
class Held:
    holding: Holding
    before: Before

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> "Held":
        """From JSON."""
        words = {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}
        return cls(remembered(Holding, words), remembered(Before, found["before"]))

    def json(self) -> dict[str, object]:
        return asdict(self.holding) | {"before": asdict(self.before)}
