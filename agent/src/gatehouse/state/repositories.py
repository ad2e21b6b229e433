"""The repositories that this host has ever backed up to: the passphrase that opens each, and a cache of its contents.
Removing a release or a stack keeps these, since without the passphrase every backup in the repository is lost. Only an
operator removes them, with `gatehouse forget`."""

import hashlib
from pathlib import Path

from gatehouse.output.report import Failure
from gatehouse.protocol.manifest import File
from gatehouse.state.store import STATE, read_private, write_private
from gatehouse.system import safepath

FOLDER = STATE / "repositories"


def folder(place: str) -> Path:
    """The directory with this host's data about a repository; `place` is written as by users, such as /srv/backups or
    sftp://backup@keeper:22/srv/backups."""
    return FOLDER / hashlib.sha256(place.encode()).hexdigest()[:16]


def places() -> list[str]:
    return sorted(
        place for path in (FOLDER.iterdir() if FOLDER.exists() else ()) if (place := read_private(path / "place"))
    )


def passphrase(place: str) -> str | None:
    return read_private(folder(place) / "passphrase")


def remember(place: str, opened_by: str) -> None:
    """Store the passphrase with which the repository was just opened."""
    if passphrase(place) != opened_by:
        write_private(folder(place) / "place", place)
        write_private(folder(place) / "passphrase", opened_by)


def drop(place: str) -> None:
    safepath.remove_tree(str(folder(place)))


def chosen(file: File, place: str, before: bytes | None) -> bytes:
    """The passphrase for the repository at `place`, from a file with `opens`. A passphrase that an operator configured
    comes first; otherwise the one that opened the repository on this host, the one that the host had `before`, or the
    program's.

    Raises Failure if the configured one differs from the one that this host knows."""
    known = passphrase(place)
    if file.rotation is not None:
        return known.encode() if known is not None else before or file.content.encode()
    if known not in (None, file.content):
        raise Failure(
            f"gatehouse:backupPassphrase is not the passphrase that opened {place} on this host. Remove it "
            "(`pulumi config rm gatehouse:backupPassphrase`), and `pulumi up` uses the host's; or, if the backups "
            f"there are lost, run `gatehouse forget {place}` on the host; nothing was changed"
        )
    return file.content.encode()
