"""`gatehouse forget`: deletes this host's data about a repository that it no longer uses."""

from typing import NoReturn

from gatehouse.backup import inventory, pgbackrest
from gatehouse.backup.inventory import LOCK
from gatehouse.output.report import Failure
from gatehouse.output.table import counted
from gatehouse.protocol.answers import ForgetAnswer
from gatehouse.state import repositories, secrets, store
from gatehouse.state.store import SECRETS, Release
from gatehouse.system import safepath


def refuse(place: str) -> NoReturn:
    """Raises a Failure that states which backups would be lost, and how to proceed."""
    secrets.learn_all()
    _refuse_unknown(place)
    _refuse_in_use(place)
    raise Failure(f"{_lost(place)}. To forget it anyway: `gatehouse forget {place} --for-ever`; nothing was changed")


def forget(place: str) -> ForgetAnswer:
    """Raises Failure for a repository that is unknown or in use."""
    secrets.learn_all()
    with store.lock(LOCK, f"forgetting {place}"):
        _refuse_unknown(place)
        _refuse_in_use(place)
        lost, passphrase = _lost(place), repositories.passphrase(place)
        names = [backup.name for backup in inventory.kept(place)]
        repositories.drop(place)
        if passphrase is not None and not _opens_others(place, passphrase):
            for release in _left_over(passphrase):
                with store.lock(f"release-{release.name}", f"forgetting {place}"):
                    release.forget()
                    store.drop(f"release-{release.name}")
                    safepath.remove_tree(str(SECRETS / release.name))
    return {"forgot": place, "backups": names, "lost": lost}


def _lost(place: str) -> str:
    known, passphrase = inventory.kept(place), repositories.passphrase(place)
    what = f"{counted(len(known), 'backup')}" + (f" ({', '.join(backup.name for backup in known)})" if known else "")
    if others := passphrase and _opens_others(place, passphrase):
        return f"{place} has {what}; its passphrase stays on this host, since it is also that of {', '.join(others)}"
    return (
        f"without its passphrase {place} can never be read again, unless `recovery` was saved elsewhere: it has {what}"
    )


def _opens_others(place: str, passphrase: str) -> list[str]:
    return [other for other in repositories.places() if other != place and repositories.passphrase(other) == passphrase]


def _refuse_unknown(place: str) -> None:
    if place not in (known := repositories.places()):
        raise Failure(
            f"this host has no repository {place}; there are: {', '.join(known) or 'none'}; nothing was changed"
        )


def _refuse_in_use(place: str) -> None:
    """Raises Failure for the configured repository, unless it has no backups: then it may be created again."""
    if not inventory.SETTINGS.exists() or (s := inventory.settings()).repository != place:
        return
    try:
        there = len(pgbackrest.known(s))
        why = f"which has {counted(there, 'backup')}" if there else ""
    except Failure as failure:
        why = f"and {failure}"
    if why:
        raise Failure(
            f"this host backs up to {place}, {why}. First remove `backup` from the configuration, or set another "
            "repository, and run `pulumi up`; nothing was changed"
        )


def _left_over(passphrase: str) -> list[Release]:
    """Releases that hold this passphrase as a secret to which no manifest refers, after backups of their stack
    ended."""
    releases = store.releases()
    referred = {folder for release in releases for manifest in release.manifests() for folder in manifest.refers}
    return [
        release
        for release in releases
        if (SECRETS / release.name).exists()
        and not any(folder.startswith(f"{SECRETS / release.name}/") for folder in referred)
        and any(
            path.read_text(errors="replace") == passphrase for path in (SECRETS / release.name).glob("*/passphrase")
        )
    ]


def lines(done: ForgetAnswer) -> list[str]:
    return [f"forgot {done['forgot']}: {done['lost']}"]
