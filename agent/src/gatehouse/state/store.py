"""The agent's state, under /var/lib/gatehouse: generations, owners, secrets and locks."""

import contextlib
import fcntl
import functools
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from gatehouse.output.report import Failure, say
from gatehouse.protocol.answers import Answer
from gatehouse.protocol.document import digest, remembered
from gatehouse.protocol.manifest import Manifest, stored
from gatehouse.state.left import Left

STATE = Path(os.environ.get("GATEHOUSE_STATE", "/var/lib/gatehouse"))  # set by the agent's own tests
SECRETS = STATE / "secrets"
KEPT_GENERATIONS = 5
# Prefix of a stored manifest that is live although it was never found healthy. No manifest has such a text, so the
# next apply does not consider the host in sync.
UNPROVEN = "# gatehouse: never found healthy\n"
HOST = "host"  # the lock around swap, daemon-reload and packages: concurrent generator runs have written corrupt units


def prepare() -> None:
    """Create the state directory. It and `secrets` are traversable (0711) because containers mount secrets from below;
    all other contents are private."""
    for name, mode in (
        ("", 0o711),
        ("secrets", 0o711),
        ("releases", 0o700),
        ("items", 0o700),
        ("repositories", 0o700),
        ("wanted", 0o700),
        ("remains", 0o700),
        ("locks", 0o700),
        ("originals", 0o700),
        ("aside", 0o700),
    ):
        folder = STATE / name
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
        folder.chmod(mode)


def machine() -> str:
    """The identifier of this installation, set when the agent was first installed. The machine id would not do, since
    an older snapshot of the disk has the same."""
    return (STATE / "machine").read_text()


class Release:
    """The stored state of one release: `current` holds the number of the live generation, 0 before the first."""

    def __init__(self, name: str):
        self.name = name
        self.folder = STATE / "releases" / name
        self.record = self.folder / "transaction.json"
        self.snapshot = self.folder / "snapshot"

    @property
    def generation(self) -> int:
        return int(read_private(self.folder / "current") or 0)

    def text(self, generation: int | None = None) -> str | None:
        """The manifest of the live generation or of another stored one; None if there is none."""
        return read_private(self._of(generation) / "manifest.toml")

    @property
    def unproven(self) -> bool:
        return (self.text() or "").startswith(UNPROVEN)

    def texts(self) -> list[str]:
        """The manifests that are live or being applied."""
        live, record = self.text(), read_private(self.record)
        coming: str = json.loads(record)["text"] if record else ""
        return [text for text in (live, coming) if text]

    def manifest(self) -> Manifest | None:
        text = self.text()
        return read(text) if text is not None else None

    def manifests(self) -> list[Manifest]:
        """The manifests that are live or being applied."""
        return [read(text) for text in self.texts()]

    def left(self, generation: int | None = None) -> Left:
        """The state that the live generation, or another one, left on the host."""
        return Left.read(json.loads(read_private(self._of(generation) / "left.json") or "{}"))

    def applied(self, generation: int | None = None) -> float | None:
        """When a generation was applied, or None if there is none. Older agents did not record it."""
        manifest = self._of(generation) / "manifest.toml"
        return self.left(generation).applied or (manifest.stat().st_mtime if manifest.exists() else None)

    def generations(self) -> list[int]:
        """The stored generations that have been live, oldest first."""
        return [g for g in sorted(self._generations()) if g <= self.generation and self.text(g) is not None]

    def _of(self, generation: int | None) -> Path:
        return self.folder / str(self.generation if generation is None else generation)

    def commit(self, generation: int, text: str, left: Left) -> None:
        # If only the text of the manifest changed, the generation keeps its time and its list of changed paths.
        first = self.left() if generation == self.generation else replace(left, applied=time.time())
        left = replace(left, applied=first.applied, changed=first.changed)
        write_private(self.folder / str(generation) / "left.json", json.dumps(left.json()))
        write_private(self.folder / str(generation) / "manifest.toml", text)
        write_private(self.folder / "current", str(generation))

    def prune(self) -> None:
        """Delete all but the latest generations."""
        # Older manifests of secrets would keep secrets that have been rotated.
        manifest = self.manifest()
        kept = 1 if manifest and manifest.secret else KEPT_GENERATIONS
        for old in sorted(g for g in self._generations() if g <= self.generation - kept):
            shutil.rmtree(self.folder / str(old))

    def _generations(self) -> list[int]:
        return [int(d.name) for d in self.folder.iterdir() if d.name.isdigit()]

    @property
    def retained(self) -> bool:
        """Whether its stack removed the release, only its secrets stay, and nothing applies it again."""
        return self._retained.exists() and not self.record.exists()

    def retain(self) -> None:
        write_private(self._retained, "")

    def adopt(self) -> None:
        """A stack has applied the release again."""
        self._retained.unlink(missing_ok=True)

    @property
    def _retained(self) -> Path:
        return self.folder / "retained"

    def drop_snapshot(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.snapshot)

    def forget(self) -> None:
        """Delete the state, `current` first: a removal that is repeated then finds no manifest and only deletes the
        rest."""
        (self.folder / "current").unlink(missing_ok=True)
        shutil.rmtree(self.folder)


def releases() -> list[Release]:
    """The releases that are live or being applied. A first apply that was refused leaves an empty directory, which does
    not count."""
    folder = STATE / "releases"
    return [
        release
        for d in (sorted(folder.iterdir()) if folder.exists() else ())
        if (release := Release(d.name)).generation or release.record.exists()
    ]


def live() -> list[Manifest]:
    """The manifests that are live on this host."""
    return [manifest for release in releases() if (manifest := release.manifest())]


def expected() -> list[Manifest]:
    """Those that a stack still has: a retained release may need services that are stopped."""
    return [manifest for release in releases() if not release.retained and (manifest := release.manifest())]


def refuse_foreign(name: str, owner: str, takes: tuple[str, ...] = ()) -> None:
    """Raises Failure if the release, live or being applied, belongs to another stack, unless this one `takes` over from
    that stack."""
    for theirs in Release(name).manifests():
        stack = theirs.owner.rpartition("/")[0]
        if stack != owner.rpartition("/")[0] and f"stack {stack}" not in takes:
            raise Failure(
                f"release {name} on this host belongs to {theirs.owner}, not to {owner}; nothing was changed. "
                f"To move it, add to `takeOver` of the host: stack {stack}"
            )


def claims(except_for: str) -> list[Manifest]:
    """The manifests of other releases, live or being applied."""
    return [manifest for r in releases() if r.name != except_for for manifest in r.manifests()]


@functools.cache
def read(text: str) -> Manifest:
    """A stored manifest, parsed. Cached, since an operation on one release reads all manifests several times."""
    return stored(text)


@dataclass(frozen=True)
class Item:
    """An item that the program applied to this host: a group, an account, packages, a key or a release."""

    due: str  # the due number that it was given
    answer: Answer
    document: str | None = None  # the checksum of its document; older agents did not record it
    sketch: str | None = None  # of a release: the one that its stack wanted; older agents did not record it
    note: str | None = None  # reported to the program until it sends the item's document again


def items() -> dict[str, Item]:
    """All items, by `group-NAME`, `account-NAME`, `packages-NAME`, `key-NAME` or `release-NAME`."""
    folder = STATE / "items"
    paths = sorted(folder.glob("*.json")) if folder.exists() else []
    return {path.stem: remembered(Item, json.loads(path.read_text())) for path in paths}


def item(name: str) -> Item | None:
    """One item; None if it was never applied."""
    text = read_private(_item(name))
    return remembered(Item, json.loads(text)) if text else None


def settle(item: str, due: str, answer: Answer, document: bytes | None = None, sketch: str | None = None) -> None:
    _write_item(item, Item(due, answer, None if document is None else digest(document), sketch))


def note(name: str, text: str | None) -> None:
    if record := item(name):
        _write_item(name, replace(record, note=text))


def _write_item(name: str, record: Item) -> None:
    write_private(_item(name), json.dumps({key: value for key, value in vars(record).items() if value is not None}))


def drop(item: str) -> None:
    _item(item).unlink(missing_ok=True)


def _item(name: str) -> Path:
    return STATE / "items" / f"{name}.json"


def write_private(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    with open(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, path)
    sync_directory(path.parent)


def read_private(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def lock(name: str, purpose: str, patience: int = 300, wait: bool = True) -> Iterator[None]:
    """Hold lock `name` for at most `patience` seconds. A waiting process logs the holder, and waits until one minute
    after the holder's own deadline.

    Raises Failure after that, or at once if `wait` is false."""
    path = STATE / "locks" / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(path, "a+") as file:
        announced: int | str | None = None
        while not _taken(file, fcntl.LOCK_EX):
            holder = _holder(path)
            if not wait:
                raise Failure(f"{holder.purpose} is in progress")
            if announced != holder.pid and (announced is None or holder.pid != _UNKNOWN):
                say(f"waiting for {holder.purpose} (process {holder.pid}), which holds {name}")
                announced = holder.pid
            if time.time() > holder.until + 60:
                raise Failure(f"{holder.purpose} (process {holder.pid}) holds {name} past its own deadline")
            time.sleep(0.1)
        file.truncate(0)
        file.write(json.dumps(vars(_Holder(purpose, os.getpid(), time.time() + patience))))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)  # otherwise the note would be attributed to the next holder


@contextlib.contextmanager
def glance(name: str) -> Iterator[str | None]:
    """Take a shared lock without waiting. Yields None on success (writers block until it is released), otherwise the
    current holder's purpose."""
    path = STATE / "locks" / name
    if not path.exists():
        yield None
        return
    with open(path) as file:
        yield None if _taken(file, fcntl.LOCK_SH) else _holder(path).purpose


def _taken(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


_UNKNOWN = "?"  # the process of a holder that has not written its note yet


@dataclass(frozen=True)
class _Holder:
    purpose: str
    pid: int | str
    until: float


def _holder(path: Path) -> _Holder:
    try:
        return remembered(_Holder, json.loads(path.read_text()))
    except ValueError:  # the holder has not written its note yet, or holds only a shared lock
        return _Holder("another run", _UNKNOWN, time.time())
