"""`gatehouse restore`: restores the host's data beside the current data, then replaces it."""

import contextlib
import os
import re
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from gatehouse.backup import (
    catalog,
    directory_swap,
    folders,
    inventory,
    pgbackrest,
    places,
    postgres,
    restic,
    restore_database,
)
from gatehouse.backup.directory_swap import Exchange, Swap
from gatehouse.backup.inventory import LOCK, PROMOTE, Backup, Settings, Target
from gatehouse.backup.postgres import Cluster
from gatehouse.health import probes
from gatehouse.output.report import NOT_ROLLED_BACK, ROLLED_BACK, ROLLED_BACK_UNHEALTHY, Failure, say
from gatehouse.output.table import iso, size
from gatehouse.protocol.answers import ConfirmAnswer, RestoreAnswer, UndoAnswer
from gatehouse.protocol.manifest import Manifest
from gatehouse.state import secrets, store, workspace
from gatehouse.system import jobs, machine, mounts, process, safepath, systemd


def restore(to: str, database: str | None = None, dry_run: bool = False) -> RestoreAnswer:
    """Raises Failure if the restore is refused, or was undone after an error; its code says which."""
    began = time.time()
    secrets.learn_all()
    s = inventory.settings()
    with contextlib.ExitStack() as locks:
        locks.enter_context(store.lock(LOCK, f"restore to {to}", process.LONG))
        directory_swap.refuse_another()
        locks.enter_context(_nobody_else())
        # Checked before the catalog is read: its backups would count as this host's own once it takes backups.
        pgbackrest.refuse_another_major(s)
        target = find(catalog.read(s), to)
        pgbackrest.refuse_another_major(s, target.backup.label)
        live = Cluster(s, s.socket_directory)
        if database:
            return restore_database.restore(s, live, target, database, dry_run, began)
        return _everything(s, live, target, dry_run, began)


def find(all_of_them: list[Backup], to: str) -> Target:
    """Raises Failure for a target that is not understood, or that is before the oldest backup."""
    if not all_of_them:
        raise Failure("there is no backup to restore from; `gatehouse backups` shows the repository")
    if to == "latest":
        return Target("the newest state that was saved", ("--type=default",), all_of_them[-1])
    for backup in all_of_them:
        if backup.name == to:
            return Target(f"backup {to}", backup.options, backup)
    if re.fullmatch(r"\d{8}-\d{6}", to):  # as an ISO time, it would be in another time zone
        raise Failure(
            f"there is no backup {to} in the repository; there are {', '.join(backup.name for backup in all_of_them)}"
        )
    if re.fullmatch(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}", to):
        before = [b for b in all_of_them if _position(b.lsn) <= _position(to)]
        return Target(f"LSN {to}", ("--type=lsn", f"--target={to}", PROMOTE), _newest(before, to, all_of_them))
    try:
        moment = datetime.fromisoformat(to).astimezone(UTC)
    except ValueError:
        raise Failure(
            "restore --to: expected latest, the name of a backup (`gatehouse backups`), a time such as "
            f"2026-11-25 14:30:00 or 2026-11-25T14:30:00+01:00, or an LSN such as 0/16B3D80; got {to!r}"
        ) from None
    if moment > datetime.now(UTC):
        raise Failure(
            f"{iso(moment.timestamp())} is in the future; `--to latest` restores the newest state that was saved"
        )
    before = [b for b in all_of_them if b.marked <= moment.timestamp()]
    return Target(
        f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        ("--type=time", f"--target={moment:%Y-%m-%d %H:%M:%S.%f}+00", PROMOTE),
        _newest(before, to, all_of_them),
    )


def _newest(before: list[Backup], to: str, all_of_them: list[Backup]) -> Backup:
    if not before:
        first = all_of_them[0]
        raise Failure(f"{to} is before the oldest backup: {first.name}, of {iso(first.marked)} and LSN {first.lsn}")
    return before[-1]


def _position(lsn: str) -> int:
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def _everything(s: Settings, live: Cluster, target: Target, dry_run: bool, began: float) -> RestoreAnswer:
    stamp = datetime.fromtimestamp(began, UTC).strftime("%Y%m%d-%H%M%S")
    moved: dict[str, str] = {}  # by the current path of each folder: its path when it was saved
    inside: dict[str, places.Place] = {}  # by the current path: folders that now belong elsewhere within that path
    for place in places.of(target.backup):  # including folders that have been deleted since
        [(first, _), *_] = lying = _lying(target.backup, place)
        moved |= dict(lying)
        if place.made:
            inside[first] = place
    for path in (s.data, *moved):
        _refuse_what_cannot_move(path)
    snapshots = restic.snapshots(s, target.backup.name)
    held = {path: restic.snapshot_with(snapshots, then) for path, then in moved.items()}
    for path in moved:
        safepath.refuse_shared(f"{_above(path)}/.")  # restic works there as root and by path
    running = _units()
    answer: RestoreAnswer = {
        "to": target.words,
        "backup": target.backup.name,
        "folders": sorted(moved),
        "stops": running,
        "database": None,
        "done": not dry_run,
    }
    # Each file system must have room for the whole backup, which errs on the safe side.
    for path in (s.data, *moved):
        workspace.refuse_without_room(_above(path), target.backup.size)
    if dry_run:
        return answer
    shelves = {path: f"{path}.restored-{stamp}" for path in moved}
    exchanges = (
        Exchange(s.data, f"{s.data}.restored-{stamp}", f"{s.data}.before-{stamp}"),
        *(
            Exchange(path, shelf + (inside[path].live if path in inside else moved[path]), f"{path}.before-{stamp}")
            for path, shelf in shelves.items()
        ),
    )
    wanted = Swap(f"{target.words} at {iso(began)}", exchanges, tuple(running), tuple(shelves.values()))
    try:
        pgbackrest.archive_now(s)
        _postgres(s, target, exchanges[0].new)
        for path, shelf in shelves.items():
            say(f"restore {path}")
            safepath.make(os.path.dirname(path))
            safepath.make(shelf, 0o700)
            restic.restore(s, held[path], moved[path], shelf)
            workspace.give_back_names(shelf, target.backup.names.users, target.backup.names.groups)
            if path in inside:
                places.arrange(inside[path], shelf, moved[path])
    except BaseException:
        directory_swap.discard(wanted)
        raise
    _exchange(wanted)
    say(
        "the previous data is kept: `gatehouse restore --confirm` deletes it, `gatehouse restore --undo` brings "
        f"it back ({size(target.backup.size)})"
    )
    jobs.queue("start", ["gatehouse-backup.service"])  # the first backup of the new timeline
    return {**answer, "seconds": round(time.time() - began, 1)}


def _lying(backup: Backup, place: places.Place) -> list[tuple[str, str]]:
    """The folder itself, and the target of each symlink in it: the current path, and the path when it was saved."""
    first, *led = backup.places.get(place.name, [place.saved])
    return [
        (folders.places(place.live)[0] if safepath.status(place.live) else place.live, first),
        *((there, there) for there in led),
    ]


def _above(path: str) -> str:
    """The nearest existing parent: a symlink may lead to a disk that this host does not have."""
    folder = os.path.dirname(path)
    return folder if safepath.status(folder) else _above(folder)


def _postgres(s: Settings, target: Target, into: str) -> None:
    say(f"restore PostgreSQL to {target.words}, beside the running server")
    pgbackrest.restore(s, into, target.options)
    with postgres.private(s, into, durable=True) as server:
        postgres.forget_recovery(server)
        say(f"the restored server answers with {len(server.databases())} databases")
    postgres.verify_pages(s, into)


def _exchange(wanted: Swap) -> None:
    """Stop everything except the backup's own units, exchange the folders, and require that everything is healthy
    again."""
    try:
        directory_swap.stop(wanted.ran)
        directory_swap.forward(wanted)
        _start(wanted)
    except BaseException as error:
        _go_back(wanted, error)
    directory_swap.keep(wanted)


def _go_back(wanted: Swap, error: BaseException) -> None:
    say("failed, rolling back to the previous data")
    try:
        directory_swap.stop(wanted.ran)
        directory_swap.back(wanted)
    except Exception as second:
        raise Failure(
            f"{error}\nnot rolled back: {second}\n`gatehouse recover` tries again, as does every boot",
            NOT_ROLLED_BACK,
        ) from error
    directory_swap.discard(wanted)
    try:
        _start(wanted)
    except Exception as second:
        raise Failure(
            f"{error}\nrolled back to the previous data, but the services are not healthy:\n{second}",
            ROLLED_BACK_UNHEALTHY,
        ) from error
    raise Failure(f"{error}\nrolled back to the previous data; the services are healthy", ROLLED_BACK) from error


def _start(wanted: Swap) -> None:
    """Restart the units and rerun the steps, because the restored data may predate current roles and passwords."""
    manifests = store.expected()
    deadline = machine.system.monotonic() + max((m.deadline for m in manifests), default=60)
    jobs.run("start", list(wanted.ran), deadline)
    for m in manifests:
        if _uses_data(m):
            for step in m.step:
                say(f"step {step.name} of {m.release}")
                status, output = process.run(
                    step.exec, step.user, stdin=step.stdin, seconds=max(1.0, deadline - machine.system.monotonic())
                )
                if status:
                    raise Failure(
                        f"step {step.name} of {m.release} failed:\n{'' if m.secret else process.indented(output)}"
                    )
    for m in manifests:
        probes.await_every(m, deadline)


def confirm() -> ConfirmAnswer:
    """Delete the old folders. Raises Failure if no restore is waiting to be confirmed."""
    with store.lock(LOCK, "confirming a restore"):
        found = _waiting()
        directory_swap.confirm(found)
    return {"confirmed": found.what}


def undo() -> UndoAnswer:
    """Make the old folders live again. Raises Failure if no restore is waiting to be confirmed."""
    with store.lock(LOCK, "undoing a restore", process.LONG), _nobody_else():
        found = _waiting()
        directory_swap.stop(found.ran)
        directory_swap.back(found)
        _start(found)
        directory_swap.discard(found)
    jobs.queue("start", ["gatehouse-backup.service"])
    return {"undone": found.what}


def resolve() -> None:
    """Roll back a restore that was killed, but not one that is in progress."""
    with store.glance(LOCK) as busy:
        if busy or not directory_swap.interrupted():
            return
    with store.lock(LOCK, "rolling back a restore", process.LONG), _nobody_else():
        if found := directory_swap.interrupted():
            say(f"the restore to {found.what} was interrupted: rolling back to the previous data")
            directory_swap.stop(found.ran)
            directory_swap.back(found)
            directory_swap.discard(found)
            _start(found)


def _waiting() -> Swap:
    found = directory_swap.kept()
    if not found:
        raise Failure("there is no restore to confirm or undo; `gatehouse restore --to WHAT` restores")
    return found


@contextlib.contextmanager
def _nobody_else() -> Iterator[None]:
    """Prevent applies meanwhile. Raises Failure if an apply is in progress instead of waiting for it: it may be waiting
    for this process, to take a backup."""
    with contextlib.ExitStack() as locks:
        for release in store.releases():
            locks.enter_context(store.lock(f"release-{release.name}", "a restore", process.LONG, wait=False))
        yield


def _uses_data(m: Manifest) -> bool:
    return m.release != "backup"


def _units() -> list[str]:
    """All units of the releases, and the units that run with them, except those that take backups."""
    named = systemd.existing(dict.fromkeys(unit.name for m in store.live() if _uses_data(m) for unit in m.unit))
    return list(dict.fromkeys([*named, *systemd.running_with(named)]))


def _refuse_what_cannot_move(path: str) -> None:
    found = safepath.status(path)
    if found and stat.S_ISLNK(found.st_mode):
        raise Failure(
            f"{path} is a link, which cannot be swapped with a restored folder; replace the link with the folder "
            "itself; nothing was changed"
        )
    for mount in mounts.below(path):
        raise Failure(
            f"{mount.point} is a separate file system, which cannot be swapped with a restored folder: unmount it "
            "for the restore, and "
            f"move the restored files there later (`restic restore` restores {path} elsewhere, see "
            "docs/backup-and-restore.md); nothing was changed"
        )


def lines(done: RestoreAnswer | ConfirmAnswer | UndoAnswer) -> list[str]:
    if "confirmed" in done:
        return [f"confirmed: the restore to {done['confirmed']}; the previous data is deleted"]
    if "undone" in done:
        return [f"undone: the restore to {done['undone']}"]
    what = f"database {done['database']}" if done["database"] else "everything"
    text = [f"{'restored' if done['done'] else 'would restore'} {what} to {done['to']}"]
    text += [f"folders are those of backup {done['backup']}: {', '.join(done['folders']) or 'none'}"]
    return (
        text if done["done"] else [*text, f"these units would stop meanwhile: {' '.join(done['stops']) or 'nothing'}"]
    )
