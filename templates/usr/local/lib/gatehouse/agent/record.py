"""What an apply is about to do, on disk before it does it: an apply that was killed is undone from this. It is also the
release's claim to the files and units of its manifest, from before they are there."""

import json
import shutil
from dataclasses import asdict, dataclass
from typing import Literal

import live
import store
import units
from plan import Plan
from store import Release, read_private, write_private

Reached = Literal["begun", "swapped", "started", "told"]


@dataclass
class Record:
    generation: int
    text: str
    left: dict
    began: float
    # begun: units may be stopped, nothing else; swapped: files may be new; started: so may be what the guards saved; told: all is
    # well but for what needs units of other releases, which read the new files.
    reached: Reached
    guards: list[dict]
    stops: list[str]
    restarts: list[str]
    reloads: list[str]
    tells: list[str]
    starts: list[str]
    ran: list[str]
    enabled: dict[str, bool]
    removed: list[str]

    @property
    def touched(self) -> list[str]:
        return self.restarts + self.reloads + self.starts + (self.tells if self.reached == "told" else [])

    @property
    def altered(self) -> bool:
        """What the guards saved may be another one now."""
        return bool(self.guards) and self.reached in ("started", "told")

    def reach(self, release: Release, reached: Reached) -> None:
        self.reached = reached
        write_private(release.record, json.dumps(vars(self)))


def begin(release: Release, plan: Plan) -> Record:
    record = Record(
        generation=plan.generation, text=plan.text, left=plan.left, began=units.now(), reached="begun", guards=[asdict(g) for g in plan.guards],
        stops=plan.stops, restarts=plan.restarts, reloads=plan.reloads, tells=plan.tells, starts=plan.starts,
        ran=units.running_with(plan.restarts + plan.reloads + plan.tells + plan.starts + plan.stops),
        enabled={u: units.enabled(u) for u in [*plan.enables, *plan.disables]},
        removed=[c.path for c in plan.changes if c.wanted is None and not c.stray])
    record.reach(release, "begun")
    return record


def read(release: Release) -> Record | None:
    text = read_private(release.record)
    return Record(**json.loads(text)) if text else None


def commit(release: Release, record: Record, text: str) -> None:
    release.commit(record.generation, text, record.left)
    finish(release, record)


def finish(release: Release, record: Record) -> None:
    """The generation is live for good: the way back is not needed any more."""
    release.prune()
    for path in record.removed:
        live.forget_original(path)
    close(release)


def close(release: Release) -> None:
    release.record.unlink()
    store.sync_directory(release.folder)  # a record that a power cut brings back needs its snapshot
    shutil.rmtree(release.snapshot, ignore_errors=True)
