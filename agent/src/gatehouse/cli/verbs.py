"""The verbs of `gatehouse` and their arguments. Every call imports this before the rest of the agent."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple


class Verb(NamedTuple):
    """What a verb does, as a phrase, and which arguments it accepts. `changes`: it can change the host, so it runs in a
    transient unit. `needs`: options that are allowed only with another one."""

    name: str
    summary: str
    arguments: Callable[[ArgumentParser], object] = lambda parser: None
    changes: bool = False
    for_program: bool = False
    needs: Mapping[str, str] = MappingProxyType({})

    def description(self) -> str:
        return f"{self.summary[0].upper()}{self.summary[1:]}.{_FOR_PROGRAM if self.for_program else ''}"


_FOR_PROGRAM = "\n\nUsed by the program and by units, not by an operator."

# A prefix for the help of options that only the program and its units use.
_PROGRAM = "[program] "


def _whole_number(text: str) -> int:
    if not text.isdecimal():
        raise ArgumentTypeError(f"expected a whole number such as 3, got {text!r}")
    return int(text)


def _stack(text: str) -> str:
    if [bool(part) for part in text.split("/")] != [True, True]:
        raise ArgumentTypeError(f"expected a project and a stack such as gatehouse/prod, got {text!r}")
    return text


def _history(parser: ArgumentParser) -> None:
    parser.add_argument("release", metavar="RELEASE", nargs="?", help="this release only; without it, all")


def _diff(parser: ArgumentParser) -> None:
    parser.add_argument("release", metavar="RELEASE", help="a release, as `gatehouse status` lists it")
    parser.add_argument("before", metavar="N", type=_whole_number, help="the generation to compare from")
    parser.add_argument("after", metavar="M", type=_whole_number, help="the generation to compare to")


def _rollback(parser: ArgumentParser) -> None:
    parser.add_argument("release", metavar="RELEASE", help="a release, as `gatehouse status` lists it")
    parser.add_argument(
        "generation",
        metavar="N",
        nargs="?",
        type=_whole_number,
        help="a generation that `gatehouse history` lists; without it, the one before the live one",
    )


def _backup(parser: ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--full", action="store_true", help="a full backup in place of a differential one")
    what.add_argument("--prepare", action="store_true", help=f"{_PROGRAM}create the repositories; takes no backup")
    what.add_argument(
        "--keeps",
        metavar="N",
        type=_whole_number,
        help=f"{_PROGRAM}fail if keeping at most N full backups would delete existing backups; takes no backup",
    )
    parser.add_argument("--in", metavar="REPOSITORY", help=f"{_PROGRAM}the repository that --keeps checks")


def _drill(parser: ArgumentParser) -> None:
    parser.add_argument("backup", metavar="NAME", nargs="?", help="a backup; without it, the newest")


def _restore(parser: ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--to", metavar="WHAT", help="latest, a backup's name, a time, or an LSN")
    what.add_argument("--confirm", action="store_true", help="delete the data that the last restore replaced")
    what.add_argument("--undo", action="store_true", help="bring back the data that the last restore replaced")
    parser.add_argument("--database", metavar="NAME", help="with --to: restore this database only")
    parser.add_argument(
        "--dry-run", action="store_true", help="with --to: show what would be restored, and change nothing"
    )


def _forget(parser: ArgumentParser) -> None:
    parser.add_argument("repository", metavar="REPOSITORY", help="a repository that is no longer in use")
    parser.add_argument(
        "--for-ever", action="store_true", help="delete its passphrase; without it, show what would be lost"
    )


def _item(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the name, as in the document")
    parser.add_argument(
        "--due", metavar="N", required=True, help="the due number to record once the document is applied"
    )


def _remove(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the release")
    parser.add_argument(
        "--owner", metavar="PROJECT/STACK/RESOURCE", required=True, help="the resource that may remove the release"
    )
    parser.add_argument("--purge", action="store_true", help="delete its data too, after copying it")


def _leave(parser: ArgumentParser) -> None:
    parser.add_argument("stack", metavar="PROJECT/STACK", type=_stack, help="a stack that no longer uses this host")


VERBS = {
    verb.name: verb
    for verb in (
        Verb("status", "each release: its generation, its units, its probes now, whether it drifted"),
        Verb("verify", "how the host differs from what was last applied, and unmanaged files"),
        Verb("history", "the generations that are kept, and what each changed", _history),
        Verb("diff", "how the files of two kept generations differ", _diff),
        Verb("rollback", "apply an older generation again", _rollback, changes=True),
        Verb("backup", "take a backup now", _backup, changes=True, needs={"--in": "--keeps"}),
        Verb("backups", "the existing backups, and the results of the last backup and drill"),
        Verb("drill", "restore a backup to directories of its own, and compare", _drill, changes=True),
        Verb(
            "restore",
            "restore all data, or one database, to an earlier point",
            _restore,
            changes=True,
            needs={"--database": "--to", "--dry-run": "--to"},
        ),
        Verb("forget", "delete the passphrase of a repository that is no longer in use", _forget, changes=True),
        Verb("leave", "what a destroyed stack leaves on the host, and how it is deleted", _leave, changes=True),
        Verb("group", "create a group if it is missing, and print its GID", _item, changes=True, for_program=True),
        Verb(
            "account",
            "create a system account if it is missing, with its memberships",
            _item,
            changes=True,
            for_program=True,
        ),
        Verb("packages", "install native packages that are missing", _item, changes=True, for_program=True),
        Verb(
            "key", "create a private key and its certificate if they are missing", _item, changes=True, for_program=True
        ),
        Verb("release", "apply a release as one transaction", _item, changes=True, for_program=True),
        Verb("remove", "remove a release", _remove, changes=True, for_program=True),
        Verb(
            "recover", "undo, or finish, interrupted applies and restores; runs at boot", changes=True, for_program=True
        ),
        Verb("facts", "the state of the host, and how it differs from what was last applied", for_program=True),
    )
}
