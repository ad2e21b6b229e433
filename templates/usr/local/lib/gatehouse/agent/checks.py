"""The real tools, asked about the tree as it will be. A bad file never goes live."""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import commands
import files
from files import Change
from manifest import Check, Directory, Manifest
from report import Failure, say

QUADLETS = "/etc/containers/systemd"
UNITS = "/etc/systemd/system"
_UNIT_PATH = (UNITS, "/run/systemd/system", "/run/systemd/generator", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system")
GENERATOR = "/usr/lib/systemd/system-generators/podman-system-generator"
_PATIENCE = 30  # seconds for a scratch server to answer
_ATTEMPTS = 5  # to copy a directory that others are at work in


def run(manifest: Manifest, changed: list[Change]) -> None:
    """Every check of the manifest whose tree changes, and the ones that unit files always get."""
    for check in manifest.check:
        if any(_below(change.path, check.tree) for change in changed):
            say(f"check {check.name}")
            _run(check, changed, manifest.directory)
    units(changed)


def units(changed: list[Change]) -> None:
    """The cheap checks, repeated inside the host lock: two files may each pass alone and clash together."""
    quadlets = [c for c in changed if _below(c.path, QUADLETS)]
    plain = [c for c in changed if _below(c.path, UNITS) and c.wanted]
    if not quadlets and not plain:
        return
    with _folder("root") as scratch:
        generated = scratch / "units"
        generated.mkdir()
        if quadlets:
            _generate(merged(QUADLETS, changed, scratch / "quadlets"), generated)
        programs = _stage_programs(changed, scratch / "programs")
        for change in plain:
            text = change.wanted.data.decode()
            for path, staged in programs.items():
                text = text.replace(path, staged)
            _stage(Path(change.path).relative_to(UNITS), text, generated)
        # Only the units of this run are judged, with what is live as their surroundings.
        judged = sorted(str(path) for path in generated.iterdir() if path.is_file())
        if not judged:
            return
        done = subprocess.run(
            ["systemd-analyze", "verify", "--recursive-errors=no", "--man=no", *judged],
            capture_output=True, text=True, env={**os.environ, "SYSTEMD_UNIT_PATH": f"{generated}:"})
        if done.returncode:
            raise Failure(f"systemd refuses the unit files, nothing was changed:\n{commands.indented(done.stderr)}")


def _stage(name: Path, text: str, into: Path) -> None:
    """A unit, or a drop-in beside a copy of the unit that it alters, since only units are judged."""
    (into / name.parent).mkdir(parents=True, exist_ok=True)
    (into / name).write_text(text)
    unit = into / name.parent.name.removesuffix(".d")
    if name.parent.name and not unit.exists():
        template = re.sub("@.+(?=[.])", "@", unit.name)
        if live := next((path for folder in _UNIT_PATH for path in (Path(folder, unit.name), Path(folder, template)) if path.is_file()), None):
            shutil.copyfile(live, unit)


def _stage_programs(changed: list[Change], folder: Path) -> dict[str, str]:
    """Where the programs that come along lie for now: systemd looks whether what a unit starts can be started."""
    staged = {}
    for number, change in enumerate(c for c in changed if c.wanted and c.wanted.mode & 0o111):
        staged[change.path] = str(folder / str(number) / Path(change.path).name)
        files.put(staged[change.path], change.wanted)
    return staged


def _generate(tree: Path, into: Path) -> None:
    """Podman's own generator over all Quadlets as they will be. A file that it cannot read is just absent from its
    output, and its exit status has not always told: its complaints are read as well."""
    done = subprocess.run([GENERATOR, "--dryrun"], capture_output=True, text=True,
                          env={**os.environ, "QUADLET_UNIT_DIRS": str(tree)})
    complaints = [l for l in done.stderr.splitlines() if "Loading source unit file" not in l and l.strip()]
    if done.returncode or complaints:
        shown = "\n".join(complaints or done.stderr.splitlines()).replace(str(tree), QUADLETS)
        raise Failure(f"Podman refuses the Quadlet files, nothing was changed:\n{commands.indented(shown)}")
    unit = None
    for line in done.stdout.splitlines(keepends=True):
        if line.startswith("---") and line.rstrip().endswith("---"):
            unit = into / line.strip().strip("-")
        elif unit:
            with open(unit, "a") as file:
                file.write(line)


def _run(check: Check, changed: list[Change], directories: tuple[Directory, ...]) -> None:
    with _folder(check.user, check.group) as scratch:
        tree = merged(check.tree, changed, scratch / "tree")
        for directory in directories:  # made only once the checks have passed
            if _below(directory.path, check.tree):
                files.put_folder(str(tree / Path(directory.path).relative_to(check.tree)), *files.wanted_folder(directory))
        values = {"tree": str(tree), "scratch": str(scratch)}
        for argv in filter(None, (check.prepare, () if check.ready else check.exec)):
            # A home of its own: what a tool leaves there must not reach the service's.
            status, output = commands.run(commands.filled(argv, **values), check.user, check.group, home=str(scratch))
            if status:
                raise Failure(_refusal(check, output, tree))
        if check.ready:
            _try_server(check, values, tree)


def _try_server(check: Check, values: dict[str, str], tree: Path) -> None:
    with tempfile.TemporaryFile("w+") as log:
        server = commands.start(commands.filled(check.exec, **values), check.user, check.group, home=values["scratch"],
                                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            until = time.monotonic() + _PATIENCE
            while commands.run(commands.filled(check.ready, **values), check.user, check.group, seconds=5)[0]:
                if server.poll() is not None or time.monotonic() > until:
                    log.seek(0)
                    raise Failure(_refusal(check, log.read(), tree))
                time.sleep(0.05)
        finally:
            commands.end(server, grace=10)


def _refusal(check: Check, output: str, tree: Path) -> str:
    shown = output.replace(str(tree), check.tree)
    return f"check {check.name} refuses the new files, nothing was changed:\n{commands.indented(shown)}"


def merged(directory: str, changed: list[Change], into: Path) -> Path:
    """A copy of a live directory with the changes applied, owners and modes kept."""
    for left in reversed(range(_ATTEMPTS)):
        try:
            return _merged(directory, changed, into)
        except (FileNotFoundError, shutil.Error):  # another release has put a file in place, or taken one out, meanwhile
            if not left:
                raise
            shutil.rmtree(into, ignore_errors=True)


def _merged(directory: str, changed: list[Change], into: Path) -> Path:
    if Path(directory).exists():
        shutil.copytree(directory, into, symlinks=True, ignore=_special_ones)
        for path in (into, *into.rglob("*")):
            info = (Path(directory) / path.relative_to(into)).lstat()
            os.chown(path, info.st_uid, info.st_gid, follow_symlinks=False)
    else:
        into.mkdir(mode=0o755)
    for change in changed:
        if _below(change.path, directory):
            target = Path(change.path).relative_to(directory)
            for folder in reversed(target.parents[:-1]):
                if (into / folder).is_symlink():  # out of the copy, to what is live
                    (into / folder).unlink()
                    if (Path(directory) / folder).is_dir():
                        shutil.copytree(Path(directory) / folder, into / folder, symlinks=True, ignore=_special_ones)
            files.put(str(into / target), change.wanted)
    return into


def _special_ones(folder: str, names: list[str]) -> list[str]:
    """A socket cannot be copied, and who opens a FIFO waits for its other end."""
    return [name for name in names if _special(Path(folder, name))]


def _special(path: Path) -> bool:
    return not (path.is_symlink() or path.is_dir() or path.is_file())


def _below(path: str, directory: str) -> bool:
    return Path(path).is_relative_to(directory)


@contextlib.contextmanager
def _folder(user: str, group: str | None = None):
    """A scratch directory that `user` can write and enter; gone afterwards."""
    ids = commands.identity(user, group)
    with tempfile.TemporaryDirectory(prefix="gatehouse-", dir="/tmp" if ids else None) as name:
        if ids:
            os.chown(name, ids["user"], ids["group"])
        yield Path(name)
