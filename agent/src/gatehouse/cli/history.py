"""`gatehouse history` and `gatehouse diff`: the generations stored on the host, and their changes."""

import difflib

from gatehouse.output.report import Failure, masked
from gatehouse.output.table import ago, columns, iso, local_time
from gatehouse.protocol.answers import DiffAnswer, History, ReleaseHistory
from gatehouse.protocol.manifest import File, Manifest, stored
from gatehouse.state import secrets, store
from gatehouse.state.store import Release


def history(name: str | None = None) -> History:
    """Raises Failure for a release that is not on this host."""
    return {"releases": [_of(release) for release in ([known(name)] if name else store.releases())]}


def lines(found: History) -> list[str]:
    rows = []
    for release in found["releases"]:
        for row in reversed(release["generations"]):
            first, *others = row["changed"] or ["not recorded" if row["changed"] is None else "no file"]
            rows.append(
                [
                    release["release"],
                    str(row["generation"]),
                    "" if row["applied_seconds"] is None else local_time(row["applied_seconds"]),
                    ago(row["applied_seconds"]),
                    "live" if row["live"] else "",
                    first,
                ]
            )
            rows += [["", "", "", "", "", path] for path in others]
    return (
        columns(["RELEASE", "GENERATION", "APPLIED", "", "", "CHANGED"], rows)
        if rows
        else ["no release is on this host"]
    )


def _of(release: Release) -> ReleaseHistory:
    return {
        "release": release.name,
        "generations": [
            {
                "generation": n,
                "applied": iso(release.applied(n)),
                "applied_seconds": release.applied(n),
                "changed": release.left(n).changed,
                "live": n == release.generation,
            }
            for n in release.generations()
        ],
    }


def diff(name: str, before: int, after: int) -> DiffAnswer:
    """Compares the files as they are in the manifests, with placeholders for secrets. Raises Failure as `kept_text`
    does."""
    old, new = (stored(kept_text(name, n)) for n in (before, after))
    secrets.learn_all()
    return {
        "release": name,
        "from": before,
        "to": after,
        "files": {
            path: difference
            for path in sorted({f.path for f in (*old.file, *new.file)})
            if (difference := _of_file(path, (old, before), (new, after)))
        },
    }


def diff_lines(found: DiffAnswer) -> list[str]:
    return [line for difference in found["files"].values() for line in difference.splitlines()] or [
        f"no file differs between generations {found['from']} and {found['to']} of release {found['release']}"
    ]


def _of_file(path: str, before: tuple[Manifest, int], after: tuple[Manifest, int]) -> str:
    old, new = (next((f for f in manifest.file if f.path == path), None) for manifest, _ in (before, after))
    if old == new:
        return ""
    from_name, to_name = _label(path, old, before[1]), _label(path, new, after[1])
    text = list(difflib.unified_diff(_content(old), _content(new), from_name, to_name, lineterm=""))
    if not text and old and new and _about(old) == _about(new):
        return ""  # only the list of affected units differs
    return masked("\n".join(text or [f"--- {from_name}", f"+++ {to_name}"]))


def _label(path: str, file: File | None, generation: int) -> str:
    return f"{path if file else '/dev/null'}\tgeneration {generation}{_about(file)}"


def _content(file: File | None) -> list[str]:
    return file.content.splitlines() if file else []


def _about(file: File | None) -> str:
    return f", {file.mode} {file.owner}" if file else ""


def kept_text(name: str, generation: int) -> str:
    """The manifest of a generation. Raises Failure if it contains secrets or is not stored."""
    release = known(name)
    live = release.manifest()
    if live and live.secret:
        raise Failure(f"release {name} is secret: its content is not shown, and its older manifests are not kept")
    text = release.text(generation)
    if text is None or generation not in release.generations():
        kept = ", ".join(map(str, release.generations())) or "none"
        raise Failure(f"generation {generation} of release {name} is not kept on this host; there are: {kept}")
    if stored(text).secret:
        raise Failure(f"generation {generation} of release {name} was secret: its content is not shown")
    return text


def known(name: str) -> Release:
    """Raises Failure for a release that is not on this host."""
    found = {release.name: release for release in store.releases()}
    if name not in found:
        raise Failure(f"release {name} is not on this host; there are: {', '.join(found) or 'none'}")
    return found[name]
