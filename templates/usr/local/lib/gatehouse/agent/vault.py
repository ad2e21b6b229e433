"""Secrets lie in folders, one per generation: each stays as long as somebody refers to it, and is merged until then."""

import contextlib
import re
from pathlib import Path
from typing import Callable

import tree
from report import Failure, learn_secret, say
from store import SECRETS, Release, refuse_foreign, releases

_MERGE = re.compile(r"\{\{secrets ([a-z0-9-]+)/(?:(\d+)/)?(\w[\w.-]*)\}\}")


def merged(content: str, owner: str, refers: tuple[str, ...] = ()) -> str:
    """`{{secrets RELEASE/FILE}}` stands for that file in every generation of secrets that a manifest on this host (or
    `refers`) still refers to, newest first: a server that reads it accepts the old secret until the last client moved to
    the new one. `{{secrets RELEASE/GENERATION/FILE}}` stands for that generation's alone.

    Raises Failure for a secret that is not on this host, or that another stack than that of `owner` has."""

    def fill(found: re.Match) -> str:
        name, generation, file = found.groups()
        missing = Failure(f"secret {found[0][10:-2]} is not on this host; nothing was done")
        refuse_foreign(name, owner)
        if not Release(name).texts():  # they may be any stack's
            raise missing
        folders = [SECRETS / name / generation] if generation else _kept(name, [*refers, *_texts()])
        texts = [path.read_text().strip() for folder in folders if (path := folder / file).exists()]
        if not texts:
            raise missing
        for text in texts:
            learn_secret(text)
        return " ".join(texts)

    return _MERGE.sub(fill, content)


def learn_all() -> None:
    """No other release shows what lies here."""
    for path in SECRETS.rglob("*") if SECRETS.exists() else ():
        if path.is_file():
            with contextlib.suppress(FileNotFoundError):  # pruned just now
                learn_secret(path.read_text(errors="replace"))


def prune(apply_again: Callable[[Release], None]) -> None:
    """Delete the generations that nobody refers to any more, so that a rotated secret ends with its last user; before,
    take them out of the files that they were merged into. Where that fails they stay, and the next apply tries again:
    the release that was applied just now is healthy all the same."""
    texts = _texts()
    for folder in SECRETS.iterdir() if SECRETS.exists() else ():
        # What the texts of a moment ago do not mention is looked for in those of now.
        if _stale(folder.name, texts) and _stale(folder.name, _texts()):
            try:
                for release in releases():
                    if f"{{{{secrets {folder.name}/" in (release.text() or ""):
                        apply_again(release)
            except Exception as error:
                say(f"old secrets of {folder.name} stay until the next apply: {error}")
                continue
            for generation in _stale(folder.name, _texts()):  # somebody may have gone back to one meanwhile
                tree.remove_tree(str(generation))
            say(f"old secrets of {folder.name} are deleted: nobody refers to them any more")


def _generations(name: str) -> list[Path]:
    """Newest first."""
    return sorted((SECRETS / name).glob("[0-9]*"), key=lambda folder: int(folder.name), reverse=True)


def _texts() -> list[str]:
    """What is live or under way on this host."""
    return [text for release in releases() for text in release.texts()]


def _stale(name: str, texts: list[str]) -> list[Path]:
    kept = _kept(name, texts)
    return [generation for generation in _generations(name) if generation not in kept]


def _kept(name: str, texts: list[str]) -> list[Path]:
    """The generations that are live, on their way in, or referred to by one of the texts."""
    live = Release(name).generation

    def needed(folder: Path) -> bool:
        reference = re.compile(rf"{re.escape(str(folder))}(?!\d)")
        return int(folder.name) >= live or any(map(reference.search, texts))

    return [folder for folder in _generations(name) if needed(folder)]
