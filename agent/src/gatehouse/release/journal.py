"""The journal of an apply, written to disk before anything changes; an apply that was killed is undone from it. It also
claims the files and units of the manifest before they exist."""

import json
from dataclasses import asdict, dataclass, field
from typing import Literal

from gatehouse.protocol.document import remembered
from gatehouse.protocol.manifest import Guard
from gatehouse.release.held import Held
from gatehouse.release.plan import Plan
from gatehouse.state import store
from gatehouse.state.left import Left
from gatehouse.state.store import Release, read_private, write_private
from gatehouse.system import safepath, systemd
from gatehouse.tree import originals


@dataclass
class Record:
    generation: int
    text: str
    left: Left
    began: float
    # begun: units may be stopped, nothing else; swapped: files may be new; started: guarded data may be new as well.
    reached: Literal["begun", "swapped", "started"]
    guards: list[Guard]
    stops: list[str]
    restarts: list[str]
    reloads: list[str]
    starts: list[str]
    ran: list[str]
    enabled: dict[str, bool]
    removed: list[str]
    dependents: dict[str, str] = field(default_factory=dict)  # by unit: the time of its last state change
    own: dict[str, str] = field(default_factory=dict)  # the same of the units of the release
    notified: bool = False
    holdings: list[Held] = field(default_factory=list)
    moves: bool = False  # data moves to another location, and back in a rollback

    @property
    def touched(self) -> list[str]:
        return self.restarts + self.reloads + self.starts

    def reach(self, release: Release, reached: Literal["begun", "swapped", "started"]) -> None:
        self.reached = reached
        kept = vars(self) | {
            "left": self.left.json(),
            "guards": [asdict(guard) for guard in self.guards],
            "holdings": [held.json() for held in self.holdings],
        }
        write_private(release.record, json.dumps(kept))


def begin(release: Release, plan: Plan) -> Record:
    own = [*plan.restarts, *plan.reloads, *plan.starts, *(unit.name for unit in plan.manifest.unit)]
    changed = systemd.changed([*dict.fromkeys(own), *plan.dependents])
    record = Record(
        generation=plan.generation,
        text=plan.text,
        left=plan.left,
        began=systemd.now(),
        reached="begun",
        guards=plan.guards,
        stops=plan.stops,
        restarts=plan.restarts,
        reloads=plan.reloads,
        starts=plan.starts,
        ran=systemd.running_with(plan.restarts + plan.reloads + plan.starts + plan.stops),
        enabled={u: systemd.enabled(u) for u in [*plan.enables, *plan.disables]},
        removed=[c.path for c in plan.changes if c.wanted is None and not c.unmanaged],
        dependents={unit: changed[unit] for unit in plan.dependents},
        own={unit: changed[unit] for unit in own},
        moves=bool(plan.moves),
    )
    record.reach(release, "begun")
    return record


def read(release: Release) -> Record | None:
    text = read_private(release.record)
    if not text:
        return None
    found = json.loads(text)
    found.setdefault("dependents", found.pop("tells", {}))  # the name in records of older agents
    found["left"] = Left.read(found["left"])
    found["guards"] = [_guard(guard) for guard in found["guards"]]
    found["holdings"] = [Held.read(held) for held in found.get("holdings", [])]
    return remembered(Record, found)  # an older agent, or that of another stack, may have written it


def _guard(found: dict[str, object]) -> Guard:
    return remembered(Guard, {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()})


def commit(release: Release, record: Record, text: str) -> None:
    release.commit(record.generation, text, record.left)
    finish(release, record)


def finish(release: Release, record: Record) -> None:
    """The generation is final: the data for a rollback is no longer needed."""
    release.prune()
    for path in record.removed:
        originals.forget_original(path)
    close(release)


def close(release: Release) -> None:
    safepath.remove(str(release.record))
    store.sync_directory(release.folder)  # if a power cut restores the journal, its snapshot must still exist
    release.drop_snapshot()
