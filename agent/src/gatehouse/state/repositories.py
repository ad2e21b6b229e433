"""The repositories that backups of this host ever went to: the passphrase that opens each, and what was read from it.
No release, stack or state takes that along when it goes, since without the passphrase every backup in there is lost; an
operator alone removes it, by `gatehouse forget`."""

import hashlib
from pathlib import Path

from gatehouse.output.report import Failure
from gatehouse.protocol.manifest import File
from gatehouse.state.store import STATE, read_private, write_private
from gatehouse.system import safepath

FOLDER = STATE / "repositories"


def folder(place: str) -> Path:
    """What this host knows of one; `place` as people write it, such as /srv/backups or
    sftp://backup@keeper:22/srv/backups."""
    return FOLDER / hashlib.sha256(place.encode()).hexdigest()[:16]


def places() -> list[str]:
    return sorted(
        place for path in (FOLDER.iterdir() if FOLDER.exists() else ()) if (place := read_private(path / "place"))
    )


def passphrase(place: str) -> str | None:
    return read_private(folder(place) / "passphrase")


def remember(place: str, opened_by: str) -> None:
    """It was opened with this just now."""
    if passphrase(place) != opened_by:
        write_private(folder(place) / "place", place)
        write_private(folder(place) / "passphrase", opened_by)


def drop(place: str) -> None:
    safepath.remove_tree(str(folder(place)))


def chosen(file: File, place: str, before: bytes | None) -> bytes:
    """The passphrase for the repository at `place`, which the file opens: the one that opened it on this host, or else
    the one that the host had `before`, or else the program's. One that an operator gave comes first.

    Raises Failure where that differs from the one that this host knows."""
    known = passphrase(place)
    if file.rotation is not None:
        return known.encode() if known is not None else before or file.content.encode()
    if known not in (None, file.content):
        raise Failure(
            f"gatehouse:backupPassphrase is not the passphrase that opened {place} on this host. Take it out "
            "(`pulumi config rm gatehouse:backupPassphrase`), and `pulumi up` uses the host's; or, where what was in "
            "there "
            f"is gone, `gatehouse forget {place}` on the host; nothing was done"
        )
    return file.content.encode()
