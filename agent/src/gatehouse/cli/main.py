"""gatehouse - what a host is, and was, and how it gets back. Asked by an operator, and by the program over SSH.

For the operator; each answers with one line of JSON when `--json` is added:

    gatehouse status                    each release: its generation, its units, its probes now, whether it is as it was left
    gatehouse verify                    what differs from what was left, and what nobody put there
    gatehouse history [RELEASE]         the generations that are kept, and what each changed
    gatehouse diff RELEASE N M          how the files of two kept generations differ
    gatehouse rollback RELEASE [N]      apply generation N again, or the one before the live one
    gatehouse backup [--full]           take a backup now
    gatehouse backups                   which there are, and how the last one and the last drill ended
    gatehouse drill [NAME]              restore the newest backup, or another, to folders of its own, and compare
    gatehouse restore --to WHAT [--database NAME] [--dry-run]
                                        all data, or one database, as of: latest, a backup's name, a time, an LSN
    gatehouse restore --confirm|--undo  delete what was there before a restore, or bring it back
    gatehouse forget REPOSITORY         what is lost with the passphrase of a repository that is not used any more
    gatehouse forget REPOSITORY --for-ever
                                        delete that passphrase

For the program, which gives a document on stdin and reads one line of JSON:

    gatehouse group NAME     --due N < document     make sure that the group exists; answers its GID
    gatehouse account NAME   --due N < document     the same for a system account, with its memberships
    gatehouse packages NAME  --due N < document     the same for native packages
    gatehouse release NAME   --due N < manifest     apply a release as one transaction
    gatehouse remove NAME --owner PROJECT/STACK/RESOURCE [--purge]      its data too, once it is copied
    gatehouse recover                               undo, or finish, what was interrupted; runs at boot
    gatehouse facts                                 what is true now; changes nothing

Exit status: 0 done, or all well; 1 refused, nothing was touched; 2 not understood; of `status` and `verify`: 3 something is
not well, or differs; of what changes the host: 3 failed and rolled back; 4 rolled back but not healthy;
5 failed and removed again, there was nothing before; 6 failed and not rolled back, since migrated data could not be
restored: the new image stays, and the next apply starts from it; 70 a fault of the agent's own: the next apply undoes
what was begun.
"""

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable

from gatehouse.backup import create, drill, forget, inventory, restore
from gatehouse.cli import history, rollback, status, verify
from gatehouse.cli.verbs import CHANGING, LOOKING
from gatehouse.drift import facts
from gatehouse.items import accounts, packages
from gatehouse.output.report import FAULT, REFUSED, ROLLED_BACK, Failure, answer, fail, show
from gatehouse.protocol import document
from gatehouse.release import apply, failpoints, recover, remove
from gatehouse.state import created, store
from gatehouse.tree import files

_ITEMS = {
    "group": accounts.ensure_group,
    "account": accounts.ensure_account,
    "packages": packages.ensure,
    "release": apply.apply,
}
_DIFFERS = 3


def main(argv: list[str]) -> int:
    """The exit status, and why on stderr."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        return run(argv)
    except Failure as failure:
        fail(f"gatehouse: {failure}")
        if failure.code >= ROLLED_BACK:
            fail(f"what to do at exit status {failure.code}: docs/manifest.md#exit-codes")
        return failure.code or REFUSED
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            fail(f"gatehouse: the disk is full; make room, the next apply undoes what was begun: {error}")
        else:
            fail(f"gatehouse: a fault of its own; the next apply undoes what was begun\n{traceback.format_exc()}")
        return FAULT


def run(argv: list[str]) -> int:
    if argv[:1] == ["help"] or {"--help", "-h"} & set(argv):
        show(__doc__.strip().splitlines())
        return 0
    if set(argv[:1]) & (LOOKING | CHANGING):
        _need_root()
    # Who asks for JSON of what answers so anyhow gets it.
    words, as_json = [word for word in argv if word != "--json"], "--json" in argv
    match words:
        case ["status"]:
            return _tell(status.status(), status.lines, as_json)
        case ["verify"]:
            return _tell(verify.verify(), verify.lines, as_json)
        case ["history"]:
            return _tell(history.history(), history.lines, as_json)
        case ["history", name]:
            return _tell(history.history(name), history.lines, as_json)
        case ["diff", name, before, after] if before.isdecimal() and after.isdecimal():
            return _tell(history.diff(name, int(before), int(after)), history.diff_lines, as_json)
        case ["rollback", name, *number] if len(number) < 2 and all(map(str.isdecimal, number)):
            return _tell(rollback.rollback(name, *map(int, number)), rollback.lines, as_json)
        case ["backup", *how] if how in ([], ["--full"], ["--prepare"]):
            answer(create.prepare() if how == ["--prepare"] else create.take(full=bool(how)))
        case ["backup", "--keeps", number, *where] if number.isdecimal() and (
            not where or (where[0] == "--in" and len(where) == 2)
        ):
            create.refuse_loss(int(number), *where[1:])
        case ["backups"]:
            return _tell(inventory.overview(), inventory.lines, as_json)
        case ["drill", *name] if len(name) < 2:
            return _tell(drill.drill(*name), drill.lines, as_json)
        case ["forget", place]:
            forget.refuse(place)
        case ["forget", place, "--for-ever"]:
            return _tell(forget.forget(place), forget.lines, as_json)
        case ["restore", ("--confirm" | "--undo") as what]:
            return _tell(restore.confirm() if what == "--confirm" else restore.undo(), restore.lines, as_json)
        case ["restore", "--to", to, *more] if (wish := _restore_words(more)) is not None:
            return _tell(restore.restore(to, **wish), restore.lines, as_json)
        case ["facts"]:
            answer(facts.facts(diffs=True))
        case ["recover"]:
            answer(recover.recover())
        case [kind, name, "--due", due] if kind in _ITEMS:
            raw = sys.stdin.buffer.read()
            text = document.whole(raw)
            _check_name(kind, name, text)
            failpoints.point("received")
            store.prepare()
            created.begin()
            restore.resolve()
            done = _ITEMS[kind](text)
            store.settle(f"{kind}-{name}", due, done, raw)
            answer(done | (_opened(name) if kind == "release" else {}))
        case ["remove", name, "--owner", owner, *purging] if purging in ([], ["--purge"]):
            done = remove.remove(name, owner, bool(purging))
            if done["removed"]:
                store.drop(f"release-{name}")
            answer(done)
        case _:
            print(__doc__.strip(), file=sys.stderr)
            return 2
    return 0


def _restore_words(words: list[str]) -> dict | None:
    """What follows `--to WHAT`; None when it is not understood."""
    match [word for word in words if word != "--dry-run"]:
        case []:
            return {"dry_run": "--dry-run" in words}
        case ["--database", name]:
            return {"database": name, "dry_run": "--dry-run" in words}
    return None


def _opened(release: str) -> dict:
    """What the program must know to tell it as `recovery`: of a release that is secret as its answer is."""
    found = files.opened_by(store.Release(release).manifest(), store.Release(release).generation)
    return {"opens": found} if found else {}


def _tell(found: dict, lines: Callable[[dict], list[str]], as_json: bool) -> int:
    """To a machine or to people; the status says whether there is something to look after."""
    if as_json:
        answer(found)
    else:
        show(lines(found))
    return 0 if found.get("well", True) else _DIFFERS


def _need_root() -> None:
    if os.geteuid() and "GATEHOUSE_STATE" not in os.environ:
        raise Failure("only root can look at this host's releases; try: sudo gatehouse ...")


def _check_name(kind: str, name: str, text: str) -> None:
    """The answer is remembered under the name that was called: it must be that of the document. Packages have none."""
    told = document.parse(text).get("release" if kind == "release" else "name", name)
    if told != name:
        raise Failure(f"called for {kind} {name}, but the document is for {told!r}; nothing was done")
