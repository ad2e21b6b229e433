"""What an apply is about to do, on disk before it does it: an apply that was killed is undone from this. It is also the
release's claim to the files and units of its manifest, from before they are there."""

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Literal

from gatehouse.release.plan import Plan
from gatehouse.state import store
from gatehouse.state.store import Release, read_private, write_private
from gatehouse.system import safepath, systemd
from gatehouse.tree import originals


@dataclass
class Record:
    generation: int
    text: str
    left: dict
    began: float
    # begun: units may be stopped, nothing else; swapped: files may be new; started: so may be what the guards saved.
    reached: Literal["begun", "swapped", "started"]
    guards: list[dict]
    stops: list[str]
    restarts: list[str]
    reloads: list[str]
    starts: list[str]
    ran: list[str]
    enabled: dict[str, bool]
    removed: list[str]
    tells: dict[str, str] = field(default_factory=dict)  # each with when its state had changed last
    told: bool = False
    holdings: list[dict] = field(default_factory=list)  # each with what there was `before`
    moves: bool = False  # data goes to another place, and back from there

    @property
    def touched(self) -> list[str]:
        return self.restarts + self.reloads + self.starts

    def reach(self, release: Release, reached: Literal["begun", "swapped", "started"]) -> None:
        self.reached = reached
        write_private(release.record, json.dumps(vars(self)))


def begin(release: Release, plan: Plan) -> Record:
    record = Record(
        generation=plan.generation,
        text=plan.text,
        left=plan.left,
        began=systemd.now(),
        reached="begun",
        guards=[asdict(g) for g in plan.guards],
        stops=plan.stops,
        restarts=plan.restarts,
        reloads=plan.reloads,
        starts=plan.starts,
        ran=systemd.running_with(plan.restarts + plan.reloads + plan.starts + plan.stops),
        enabled={u: systemd.enabled(u) for u in [*plan.enables, *plan.disables]},
        removed=[c.path for c in plan.changes if c.wanted is None and not c.stray],
        tells=systemd.changed(plan.tells),
        moves=bool(plan.moves),
    )
    record.reach(release, "begun")
    return record


def read(release: Release) -> Record | None:
    text = read_private(release.record)
    known = {f.name for f in fields(Record)}  # another agent, of before or of another stack, may have left it
    return Record(**{key: value for key, value in json.loads(text).items() if key in known}) if text else None


def commit(release: Release, record: Record, text: str) -> None:
    release.commit(record.generation, text, record.left)
    finish(release, record)


def finish(release: Release, record: Record) -> None:
    """The generation is live for good: the way back is not needed any more."""
    release.prune()
    for path in record.removed:
        originals.forget_original(path)
    close(release)


def close(release: Release) -> None:
    safepath.remove(str(release.record))
    store.sync_directory(release.folder)  # a record that a power cut brings back needs its snapshot
    safepath.remove_tree(str(release.snapshot))
