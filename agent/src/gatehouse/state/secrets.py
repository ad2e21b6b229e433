"""Secrets, in one directory per version. A version is kept, and merged into files, until nothing refers to it."""

import contextlib
from collections.abc import Callable
from pathlib import Path

from gatehouse.output.report import Failure, learn_secret, say
from gatehouse.protocol.manifest import PLACE, SECRET, File, Manifest
from gatehouse.state import repositories
from gatehouse.state.store import SECRETS, Release, refuse_foreign, releases
from gatehouse.system import safepath


def merged(file: File, manifest: Manifest) -> str:
    """The content with each placeholder replaced by its secret. For `RELEASE/FILE` that is the file in every secret
    version that a manifest on this host still refers to, newest first, so that a server that reads it accepts the old
    secret until the last client has moved to the new one. For `RELEASE/GENERATION/FILE` it is that version's only. If
    the file names no secrets, text that looks like a placeholder is left unchanged.

    Raises Failure for a secret that is not on this host, that belongs to another stack, or that is not given to this
    release."""
    if not file.secrets:
        return file.content
    found = {name: _secret(name, manifest) for name in dict.fromkeys(file.secrets)}
    return PLACE.sub(lambda place: found[place[1]], file.content)


def _secret(name: str, manifest: Manifest) -> str:
    missing = Failure(f"secret {name} is not on this host; nothing was changed")
    found = SECRET.fullmatch(name)
    if found is None:
        raise missing
    release, generation, file = found.groups()
    refuse_foreign(release, manifest.owner)
    givers = Release(release).manifests()
    if not givers:  # without a manifest the owner is unknown
        raise missing
    if release != manifest.release and not all(manifest.release in giver.gives for giver in givers):
        given = ", ".join(sorted({name for giver in givers for name in giver.gives})) or "none"
        raise Failure(
            f"secret {name} is not given to release {manifest.release}: release {release} gives its secrets to "
            f"{given}; "
            "nothing was changed"
        )
    folders = [SECRETS / release / generation] if generation else _kept(release, {*manifest.refers, *_referred()})
    texts = [path.read_text().strip() for folder in folders if (path := folder / file).exists()]
    if not texts:
        raise missing
    for text in texts:
        learn_secret(text)
    return " ".join(texts)


def refuse_foreign_folders(manifest: Manifest) -> None:
    """A manifest may refer only to secrets of its own stack, since a reference blocks their rotation. Raises Failure
    for others, and for paths that are not directories of secrets."""
    for folder in manifest.refers:
        name, *rest = Path(folder).relative_to(SECRETS).parts if Path(folder).is_relative_to(SECRETS) else [""]
        if len(rest) != 1 or not rest[0].isdigit():
            raise Failure(
                f"refers: {folder!r} is not a folder of secrets, such as {SECRETS}/RELEASE/1; nothing was changed"
            )
        refuse_foreign(name, manifest.owner)


def learn_all() -> None:
    """Register all secrets for redaction, so that no release's output shows them."""
    for path in SECRETS.rglob("*") if SECRETS.exists() else ():
        if path.is_file():
            with contextlib.suppress(FileNotFoundError):  # pruned meanwhile
                learn_secret(path.read_text(errors="replace"))
    for place in repositories.places():
        learn_secret(repositories.passphrase(place) or "")


def prune(apply_again: Callable[[Release], None]) -> None:
    """Delete the secret versions that nothing refers to any more, so that a rotated secret is gone with its last user.
    First remove them from the files that they were merged into. If that fails they are kept, and the next apply tries
    again: the release that has just been applied is healthy regardless."""
    referred = _referred()
    for folder in SECRETS.iterdir() if SECRETS.exists() else ():
        # References are read a second time, since one may have been added after the first.
        if _stale(folder.name, referred) and _stale(folder.name, _referred()):
            try:
                for release in releases():
                    if (manifest := release.manifest()) and takes(manifest, folder.name):
                        apply_again(release)
            except Exception as error:
                say(f"old secrets of {folder.name} stay until the next apply: {error}")
                continue
            for generation in _stale(folder.name, _referred()):  # a rollback may refer to one again
                safepath.remove_tree(str(generation))
            say(f"old secrets of {folder.name} are deleted: nothing refers to them any more")


def takes(manifest: Manifest, release: str) -> bool:
    """Whether a file of the manifest contains a secret of the release."""
    return any(name.startswith(f"{release}/") for file in manifest.file for name in file.secrets)


def _generations(name: str) -> list[Path]:
    """The versions of the secrets of a release, newest first."""
    return sorted((SECRETS / name).glob("[0-9]*"), key=lambda folder: int(folder.name), reverse=True)


def _referred() -> set[str]:
    """The directories that the manifests on this host refer to, live or being applied."""
    return {folder for release in releases() for manifest in release.manifests() for folder in manifest.refers}


def _stale(name: str, referred: set[str]) -> list[Path]:
    kept = _kept(name, referred)
    return [generation for generation in _generations(name) if generation not in kept]


def _kept(name: str, referred: set[str]) -> list[Path]:
    """The versions that are live, being applied, or referred to."""
    live = Release(name).generation
    return [folder for folder in _generations(name) if int(folder.name) >= live or str(folder) in referred]
