"""A host for the agent's tests: files in a temporary directory, and a simulated systemd. Commands are real."""

import copy
import itertools
import json
import os
import random
import shutil
import subprocess
import unittest
from pathlib import Path
from unittest import mock

from gatehouse.drift import unmanaged
from gatehouse.items import census
from gatehouse.output import report
from gatehouse.release import apply
from gatehouse.state import store
from gatehouse.system import machine, systemd
from gatehouse.tree import files
from tests import ROOM, STATE

TREE, KEPT = ROOM / "host", ROOM / "kept"
OWNER = f"{os.getuid()}:{os.getgid()}"
SEQUENCES = int(os.environ.get("GATEHOUSE_SEQUENCES", "50"))  # `make test` runs ten times as many
_EACH = max(1, 150 // SEQUENCES)


class Killed(BaseException):
    """A power failure. The agent's code must not handle it."""


def points() -> range:
    """The moments of a power failure that a test tries, until there are no more: all of them in `make test`, otherwise
    one in three, and others each time."""
    return range(random.randrange(_EACH), 500, _EACH)


class System(machine.System):
    """A simulated machine. `reads` maps a unit to the file that it reads when it starts or reloads."""

    def __init__(self, clock: "Clock"):
        self.active, self.enabled, self.unknown = set(), set(), set()
        self.clock, self.since, self.stirred, self.stirs = clock, {}, {}, itertools.count(1)
        self.log = []  # every verb that changes something, such as "restart app.service"
        self.broken = lambda unit: False  # whether a unit fails to start
        self.triggers, self.failed = {}, set()  # timer -> the unit that it starts; failed units
        self.ends = {}  # unit -> seconds until it exits, then (result, exit status) of each exit; it is restarted 2 s later
        self.dependents = {}  # unit -> those that stop and restart with it
        self.houses = {}  # unit -> its runtime directory
        self.reads, self.loaded = {}, {}
        self.hung = set()  # units that report a reload, but never its end
        self.images, self.in_containers = {}, set()  # reference -> image; what containers use
        self.state = "running"
        self.rooms = {}  # mount point -> its statvfs; others are half full
        self.written, self.fetched = "", []  # what units wrote to the journal, or by unit; images that were pulled

    def monotonic(self) -> float:
        return self.clock.now

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    def journal(self, unit: str, *_) -> str:
        written = self.written if isinstance(self.written, str) else self.written.get(unit, "")
        return "".join(f"{json.dumps({'MESSAGE': line})}\n" for line in written.splitlines())

    def create_tmpfiles(self, paths: list[str]) -> None:
        self.log.append(f"tmpfiles {' '.join(paths)}")

    def image(self, reference: str) -> machine.Image | None:
        return self.images.get(reference)

    def images_of_containers(self) -> set[str]:
        return self.in_containers

    def remove_image(self, reference: str) -> str | None:
        return self.images.pop(reference) and None

    def pull(self, reference: str) -> None:
        self.fetched.append(reference)
        self.images[reference] = machine.Image(f"id of {reference}", 1 << 30)

    def room(self, point: str) -> os.statvfs_result:
        return self.rooms.get(point, room())

    def ask(self, *command: str) -> str:
        raise FileNotFoundError(command[0])

    def do(self, verb: str, unit: str = "") -> bool:
        self.log.append(f"{verb} {unit}".strip())
        self.stirred[unit] = self.clock.now + next(self.stirs) / 1000  # each value is unique
        if verb == "reload":
            since = self.since.get(unit, 0)
            return unit in self.active and self._start(unit) and self.since.update({unit: since}) is None
        tied = [u for u in self.dependents.get(unit, ()) if u in self.active]
        if verb in ("stop", "restart"):
            for stopped in (unit, *tied):
                self._stop(stopped)
                self.stirred[stopped] = self.clock.now + next(self.stirs) / 1000
        if verb == "stop":
            return unit not in self.unknown
        return all([self._start(u) for u in (unit, *(tied if verb == "restart" else ()))])

    def _stop(self, unit: str) -> None:
        self.active.discard(unit)
        self.hung.discard(unit)
        self.loaded.pop(unit, None)

    def _start(self, unit: str) -> bool:
        self._stop(unit)
        if self.broken(unit) or unit in self.unknown:
            return False
        self.active.add(unit)
        self.since[unit] = self.clock.now
        if unit in self.reads:
            self.loaded[unit] = Path(self.reads[unit]).read_bytes()
        return True

    def systemctl(self, *argv: str) -> subprocess.CompletedProcess:
        verb, names = argv[0], argv[argv.index("--") + 1 :] if "--" in argv else ()
        status, out = 0, ""
        if verb == "show":
            out = "\n".join("".join(f"{key}={value}\n" for key, value in self._properties(u).items()) for u in names)
        elif verb == "is-enabled":
            status = int(names[0] not in self.enabled)
            out = "".join("enabled\n" if name in self.enabled else "disabled\n" for name in names)
        elif verb == "is-active":
            out = "".join(f"{self._properties(name)['ActiveState']}\n" for name in names)
        elif verb == "is-system-running":
            out = f"{self.state}\n"
        else:
            self.log.append(" ".join((verb, *names)))
            if verb == "enable":
                self.enabled.update(names)
            elif verb == "disable":
                self.enabled.difference_update(names)
        return subprocess.CompletedProcess(argv, status, out, "")

    def _properties(self, unit: str) -> dict:
        return self._ordinary(unit) | (self._looping(unit) if unit in self.ends and unit in self.active else {})

    def _looping(self, unit: str) -> dict:
        lasts, *ends = self.ends[unit]
        restarts, second = divmod(self.clock.now - self.since[unit], lasts + 2)
        between = {"ActiveState": "activating", "SubState": "auto-restart"} if second >= lasts else {}
        result, status = ends[int(restarts) % len(ends)]
        return {"NRestarts": int(restarts), "ActiveEnterTimestampMonotonic": int((self.clock.now - second) * 1e6)} | (
            between and between | {"Result": result, "ExecMainStatus": status}
        )

    def _ordinary(self, unit: str) -> dict:
        return {
            "Id": unit,
            "SubState": "failed" if unit in self.failed else "running",
            "Job": "",
            "NRestarts": 0,
            "Result": "exit-code" if unit in self.failed else "success",
            "ExecMainStatus": int(unit in self.failed),
            "LoadState": "not-found" if unit in self.unknown else "loaded",
            "ActiveState": "reloading"
            if unit in self.hung
            else "active"
            if unit in self.active
            else "failed"
            if unit in self.failed
            else "inactive",
            "Triggers": self.triggers.get(unit, ""),
            "ActiveEnterTimestampMonotonic": int(self.since.get(unit, 0) * 1e6),
            "StateChangeTimestampMonotonic": int(self.stirred.get(unit, 0) * 1e6),
            "RequiredBy": " ".join(self.dependents.get(unit, ())),
            "BoundBy": "",
            "ConsistsOf": "",
            "RuntimeDirectory": self.houses.get(unit, ""),
            "User": "",
            "Group": "",
        }

    def job(self, verb: str, names: list[str]):
        return _Job(self, verb, names)


class _Job:
    def __init__(self, system: System, verb: str, names: list[str]):
        self.system, self.verb, self.units, self.failed = system, verb, names, []

    def queued(self) -> None:
        self.failed = [name for name in self.units if not self.system.do(self.verb, name)]

    def ended(self, seconds: float) -> bool:
        return True

    def complaint(self) -> str | None:
        return f"systemctl {self.verb} {' '.join(self.failed)} failed" if self.failed else None


class Clock:
    """Time that advances only during sleeps."""

    now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class HostTest(unittest.TestCase):
    def setUp(self):
        for folder in (STATE, TREE):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        store.prepare()
        report._secrets.clear()
        self.output, self.clock = [], Clock()
        self.systemd = System(self.clock)
        for where, name, stand_in in (
            (machine, "system", self.systemd),
            (systemd, "UNIT_ROOTS", (f"{TREE}/etc/systemd/system/",)),
            (unmanaged, "UNITS", (TREE / "etc/systemd/system", TREE / "run/systemd/system")),
            (unmanaged, "QUADLETS", TREE / "etc/containers/systemd"),
            (systemd, "TMPFILES_ROOT", f"{TREE}/etc/tmpfiles.d/"),
            (census, "unmanaged_objects", lambda claims: []),  # ownership of names is tested in test_census.py
            (report, "_write", lambda _, text: self.output.append(text)),
            (store, "machine", lambda: "machine"),
            (os, "fsync", lambda _: None),
            (store, "sync_directory", lambda _: None),  # takes most of the time
        ):
            self.patch(where, name, stand_in)

    def keep(self):
        """Saves the host for `put_back`, in a tenth of the time of an apply."""
        shutil.rmtree(KEPT, ignore_errors=True)
        KEPT.mkdir()
        for folder in (STATE, TREE):
            _copy(folder, KEPT / folder.name)
        self.kept = copy.deepcopy((vars(self.systemd), self.output), {id(self.clock): self.clock}), self.clock.now

    def put_back(self):
        for folder in (STATE, TREE):
            shutil.rmtree(folder)
            _copy(KEPT / folder.name, folder)
        memory, self.clock.now = self.kept
        machine, self.output[:] = copy.deepcopy(memory, {id(self.clock): self.clock})
        vars(self.systemd).clear()
        vars(self.systemd).update(machine)

    def patch(self, where, name, stand_in):
        patcher = mock.patch.object(where, name, stand_in)
        patcher.start()
        self.addCleanup(patcher.stop)

    def apply(self, **keys) -> dict:
        return apply.apply(manifest(**keys))

    def refused(self, code: int, *words: str, call=None, **keys) -> str:
        """The message of an apply (or of `call`) that must fail with `code` and contain all `words`."""
        with self.assertRaises(report.Failure) as caught:
            call() if call else self.apply(**keys)
        message = report.masked(str(caught.exception))
        self.assertEqual(caught.exception.code, code, message)
        for word in words:
            self.assertIn(word, message)
        return message

    def standing(self) -> tuple:
        """State that a failed apply must not change: files with mode and owner, and the state of every unit."""
        return tree(), frozenset(self.systemd.active), frozenset(self.systemd.enabled), dict(self.systemd.loaded)


def _copy(source: Path, target: Path):
    """Copies a folder with owners, modes and times."""
    shutil.copytree(source, target, symlinks=True)
    for path in (source, *source.rglob("*")):
        found = path.lstat()
        os.chown(target / path.relative_to(source), found.st_uid, found.st_gid, follow_symlinks=False)


def tree() -> dict:
    """Each file of the host, with its content, mode and owner."""
    return {
        str(path.relative_to(TREE)): tuple(vars(files.look(str(path))).values())
        for path in sorted(TREE.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def room(free: int = 5 << 18, files: int = 500_000, flags: int = 0) -> os.statvfs_result:
    """A disk of 10 GiB and a million files, with as many blocks of 4 KiB and files free."""
    return os.statvfs_result((4096, 4096, 10 << 18, free, free, 1_000_000, files, files, flags, 255))


def identities() -> dict:
    """Changes whenever a file is rewritten, even with the same content."""
    return {path: (os.lstat(TREE / path).st_ino, os.lstat(TREE / path).st_mtime_ns) for path in tree()}


def at(path: str) -> str:
    """The actual path of a file on the simulated host."""
    return str(TREE / path)


def live(path: str) -> str:
    return (TREE / path).read_text()


def file(path: str, content: str, mode: str = "0644", **keys) -> dict:
    """A manifest's entry for a file; the path is below the host's tree unless it is absolute."""
    return {"path": str(TREE / path), "mode": mode, "owner": OWNER, "content": content, **keys}


def secret(release: str, content: str, rotation: str = "1", name: str = "password") -> dict:
    return file(f"{STATE}/secrets/{release}/{{generation}}/{name}", content, "0400", rotation=rotation)


def shell(name: str, script: str, **keys) -> dict:
    """A step, check or probe that runs a shell script."""
    return {"name": name, "exec": ["/bin/sh", "-c", script], **keys}


def manifest(**keys) -> str:
    release = keys.get("release", "app")
    return toml({"release": release, "owner": f"shop/prod/{release}", "protocol": 1, "deadline": 1, **keys})


def toml(table: dict) -> str:
    rows = {
        key: value for key, value in table.items() if isinstance(value, list) and value and isinstance(value[0], dict)
    }
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in table.items() if key not in rows]
    return "".join(lines) + "".join(f"\n[[{key}]]\n{toml(row)}" for key, value in rows.items() for row in value)
