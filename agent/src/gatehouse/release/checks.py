"""Checks the new files with the real tools before they go live."""

import os
import re
import stat
import subprocess
import tempfile
import time
from pathlib import Path

from gatehouse.output.report import At, Failure, say
from gatehouse.protocol.manifest import Check, Directory, Manifest
from gatehouse.state import workspace
from gatehouse.system import process, safepath
from gatehouse.system.systemd import QUADLETS, UNITS
from gatehouse.tree import files
from gatehouse.tree.files import Change, Content

_UNIT_PATH = (
    UNITS,
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
)
GENERATOR = "/usr/lib/systemd/system-generators/podman-system-generator"
_PATIENCE = 30  # seconds for a scratch server to answer


def run(manifest: Manifest, changed: list[Change]) -> None:
    """Run each check with a tree that changes, and the checks of unit files.

    Raises Failure for files that a check refuses."""
    for check in manifest.check:
        if any(_below(change.path, check.tree) for change in changed):
            say(f"check {check.name}")
            _run(check, changed, manifest.directory)
    units(changed)


def units(changed: list[Change]) -> None:
    """The cheap checks of unit files, repeated under the host lock, because two files may each be valid and still
    conflict. Raises Failure as `run` does."""
    quadlets = [c for c in changed if _below(c.path, QUADLETS)]
    plain = [(c.path, c.wanted.data.decode()) for c in changed if c.wanted and _below(c.path, UNITS)]
    if not quadlets and not plain:
        return
    with workspace.folder() as work:
        generated = f"{work}/units"
        safepath.make(generated, 0o700)
        programs = _stage_programs(changed, f"{work}/programs")
        if quadlets:
            for name, text in _generate(merged(QUADLETS, changed, f"{work}/quadlets")).items():
                _put(f"{generated}/{name}", _led(text, programs))
        for path, text in plain:
            _stage(Path(path).relative_to(UNITS), _led(text, programs), generated)
        # Verify only the changed units; the live ones are present so that references to them resolve.
        judged = [
            f"{generated}/{name}" for name, found in safepath.entries(generated).items() if stat.S_ISREG(found.st_mode)
        ]
        if not judged:
            return
        done = subprocess.run(
            ["systemd-analyze", "verify", "--recursive-errors=no", "--man=no", *judged],
            capture_output=True,
            text=True,
            env={**os.environ, "SYSTEMD_UNIT_PATH": f"{generated}:"},
        )
        if done.returncode:
            raise Failure(
                f"systemd refuses the unit files, nothing was changed:\n{process.indented(done.stderr)}",
                at=At("check", "systemd-analyze verify"),
            )


def _led(unit: str, programs: dict[str, str]) -> bytes:
    """The unit with the paths of new programs replaced by their staged copies."""
    for path, staged in programs.items():
        unit = unit.replace(path, staged)
    return unit.encode()


def _stage(name: Path, text: bytes, into: str) -> None:
    """Stage a unit. A drop-in is staged beside a copy of its unit, since systemd-analyze verifies only units."""
    _put(f"{into}/{name}", text)
    unit = f"{into}/{name.parent.name.removesuffix('.d')}"
    if name.parent.name and safepath.status(unit) is None:
        names = (os.path.basename(unit), re.sub("@.+(?=[.])", "@", os.path.basename(unit)))
        if live := next(
            (path for folder in _UNIT_PATH for path in (Path(folder, name) for name in names) if path.is_file()), None
        ):
            _put(unit, live.read_bytes())


def _put(path: str, text: bytes) -> None:
    files.put(path, Content(text, 0o600, os.geteuid(), os.getegid()))


def _stage_programs(changed: list[Change], folder: str) -> dict[str, str]:
    """Stage new programs and return their paths, since systemd-analyze verifies that a unit's program is executable."""
    staged = {}
    for number, change in enumerate(c for c in changed if c.wanted and c.wanted.mode & 0o111):
        staged[change.path] = f"{folder}/{number}/{os.path.basename(change.path)}"
        files.put(staged[change.path], change.wanted)
    return staged


def _generate(quadlets: str) -> dict[str, str]:
    """The units that Podman's generator makes of all Quadlets, the changed ones included. If it cannot read a file, it
    omits the unit and its exit status may still be 0, so its error output is read as well."""
    done = subprocess.run(
        [GENERATOR, "--dryrun"], capture_output=True, text=True, env={**os.environ, "QUADLET_UNIT_DIRS": quadlets}
    )
    lines = done.stderr.splitlines()
    complaints = [line for line in lines if "Loading source unit file" not in line and line.strip()]
    if done.returncode or complaints:
        shown = "\n".join(complaints or lines).replace(quadlets, QUADLETS)
        raise Failure(
            f"Podman refuses the Quadlet files, nothing was changed:\n{process.indented(shown)}",
            at=At("check", os.path.basename(GENERATOR)),
        )
    units: dict[str, str] = {}
    name = ""
    for line in done.stdout.splitlines(keepends=True):
        if line.startswith("---") and line.rstrip().endswith("---"):
            name = line.strip().strip("-")
        elif name:
            units[name] = units.get(name, "") + line
    return units


def _run(check: Check, changed: list[Change], directories: tuple[Directory, ...]) -> None:
    with workspace.folder() as work:
        copy = merged(check.tree, changed, f"{work}/tree")
        # The host gets these directories only once the checks have passed. Parents come last: put_folder sets the
        # owner, and everything in a directory must exist before another account owns it.
        for directory in sorted(directories, key=lambda d: d.path, reverse=True):
            if _below(directory.path, check.tree):
                files.put_folder(
                    os.path.normpath(f"{copy}/{os.path.relpath(directory.path, check.tree)}"),
                    *files.wanted_folder(directory),
                )
        if not any(directory.path == check.tree for directory in directories):
            _hand_over(check.tree, copy)
        home = workspace.give(f"{work}/scratch", check.user, check.group)
        values = {"tree": copy, "scratch": home}
        for argv in filter(None, (check.prepare, () if check.ready else check.exec)):
            # A separate home, so that files left by a tool do not reach the service's home.
            status, output = process.run(process.filled(argv, **values), check.user, check.group, home=home)
            if status:
                raise _refusal(check, output, copy)
        if check.ready:
            _try_server(check, values)


def _try_server(check: Check, values: dict[str, str]) -> None:
    with tempfile.TemporaryFile("w+") as log:
        server = process.start(
            process.filled(check.exec, **values),
            check.user,
            check.group,
            home=values["scratch"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            until = time.monotonic() + _PATIENCE
            while process.run(process.filled(check.ready, **values), check.user, check.group, seconds=5)[0]:
                if server.poll() is not None or time.monotonic() > until:
                    log.seek(0)
                    raise _refusal(check, log.read(), values["tree"])
                time.sleep(0.05)
        finally:
            process.end(server, grace=10)


def _refusal(check: Check, output: str, copy: str) -> Failure:
    shown = output.replace(copy, check.tree)
    return Failure(
        f"check {check.name} refuses the new files, nothing was changed:\n{process.indented(shown)}",
        at=At("check", check.name),
    )


def merged(directory: str, changed: list[Change], into: str) -> str:
    """Copy a live directory and apply the changes, keeping owners and modes. Only root can enter the copy, so that no
    other account interferes while root writes to it."""
    if files.look_folder(directory):
        safepath.copy(directory, into)
    else:
        safepath.make(into, 0o700)
    for change in changed:
        if _below(change.path, directory):
            name = Path(change.path).relative_to(directory)
            for folder in reversed(name.parents[:-1]):
                _take_in(f"{directory}/{folder}", f"{into}/{folder}")
            files.put(f"{into}/{name}", change.wanted)
    return into


def _take_in(live: str, copy: str) -> None:
    """Replace a symlink to a directory, which leads out of the copy to live files, by a copy of that directory."""
    found = safepath.status(copy)
    if found and stat.S_ISLNK(found.st_mode):
        safepath.remove(copy)
        if files.look_folder(live):
            safepath.copy(live, copy)
            safepath.give_as(live, copy)


def _hand_over(live: str, copy: str) -> None:
    if files.look_folder(live):
        safepath.give_as(live, copy)
    else:
        safepath.give(copy, 0o755, os.geteuid(), os.getegid())


def _below(path: str, directory: str) -> bool:
    return Path(path).is_relative_to(directory)
