"""What the agent remembers, under /var/lib/gatehouse: generations, owners, secrets and locks."""

import contextlib
import fcntl
import json
import os
import shutil
import time
from pathlib import Path

import manifest as manifests
from manifest import Manifest
from report import Failure, say

STATE = Path(os.environ.get("GATEHOUSE_STATE", "/var/lib/gatehouse"))  # set by the agent's own tests
SECRETS = STATE / "secrets"
KEPT_GENERATIONS = 5


def prepare() -> None:
    """The agent's folder: its ways are open, since containers mount secrets from it, its contents are not."""
    for name, mode in (("", 0o711), ("secrets", 0o711), ("releases", 0o700), ("items", 0o700), ("locks", 0o700), ("originals", 0o700)):
        folder = STATE / name
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
        folder.chmod(mode)


def machine() -> str:
    """Names this installation, as its first program did. Not the machine id: an older snapshot of a disk has that too."""
    return (STATE / "machine").read_text()


class Release:
    """One release's folder: `current` holds the number of the generation that is live, 0 before the first."""

    def __init__(self, name: str):
        self.name = name
        self.folder = STATE / "releases" / name
        self.record = self.folder / "transaction.json"
        self.snapshot = self.folder / "snapshot"
        self.stage = self.folder / "stage"

    @property
    def generation(self) -> int:
        current = self.folder / "current"
        return int(current.read_text()) if current.exists() else 0

    def text(self) -> str | None:
        """The manifest of the live generation, or None when there is none."""
        path = self.folder / str(self.generation) / "manifest.toml"
        return path.read_text() if path.exists() else None

    def manifest(self) -> Manifest | None:
        text = self.text()
        return manifests.stored(text) if text is not None else None

    def commit(self, generation: int, text: str) -> None:
        write_private(self.folder / str(generation) / "manifest.toml", text)
        write_private(self.folder / "current", str(generation))
        for old in sorted(g for g in self._generations() if g <= generation - KEPT_GENERATIONS):
            shutil.rmtree(self.folder / str(old))

    def _generations(self) -> list[int]:
        return [int(d.name) for d in self.folder.iterdir() if d.name.isdigit()]

    def forget(self) -> None:
        shutil.rmtree(self.folder)


def releases() -> list[Release]:
    folder = STATE / "releases"
    return [Release(d.name) for d in sorted(folder.iterdir())] if folder.exists() else []


def live_manifests(except_for: str = "") -> list[Manifest]:
    return [m for r in releases() if r.name != except_for and (m := r.manifest())]


def items() -> dict[str, dict]:
    """What was asked of this host one item at a time: `group-NAME`, `account-NAME`, `packages-NAME` or `release-NAME`,
    each with the due number it was given and the answer it got."""
    folder = STATE / "items"
    return {p.stem: json.loads(p.read_text()) for p in sorted(folder.glob("*.json"))} if folder.exists() else {}


def settle(item: str, due: str, answer: dict) -> None:
    write_private(STATE / "items" / f"{item}.json", json.dumps({"due": due, "answer": answer}))


def drop(item: str) -> None:
    (STATE / "items" / f"{item}.json").unlink(missing_ok=True)


def write_private(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    with open(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def lock(name: str, purpose: str, patience: int = 60):
    """Hold lock `name`. Whoever waits names the holder, and waits until the holder's own deadline has passed by a minute."""
    path = STATE / "locks" / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(path, "a+") as file:
        announced = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                holder = _holder(path)
                if not announced:
                    say(f"waiting for {holder['purpose']} (process {holder['pid']}), which holds {name}")
                    announced = True
                if time.time() > holder["until"] + 60:
                    raise Failure(f"{holder['purpose']} (process {holder['pid']}) holds {name} past its own deadline")
                time.sleep(0.1)
        file.truncate(0)
        file.write(json.dumps({"purpose": purpose, "pid": os.getpid(), "until": time.time() + patience}))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)  # the next holder's note must not be taken for this one


def _holder(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except ValueError:  # between the holder's flock and its note
        return {"purpose": "another run", "pid": "?", "until": time.time()}
