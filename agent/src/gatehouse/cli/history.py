"""`gatehouse history` and `gatehouse diff`: the generations that the host still has, and what changed between them."""

import difflib

from gatehouse.output.report import Failure, masked
from gatehouse.output.table import ago, columns, iso, told
from gatehouse.protocol.manifest import File, Manifest, stored
from gatehouse.state import secrets, store
from gatehouse.state.store import Release


def history(name: str | None = None) -> dict:
    return {"releases": [_of(release) for release in ([known(name)] if name else store.releases())]}


def lines(found: dict) -> list[str]:
    rows = []
    for release in found["releases"]:
        for row in reversed(release["generations"]):
            first, *others = row["changed"] or ["not recorded" if row["changed"] is None else "no file"]
            rows.append(
                [
                    release["release"],
                    str(row["generation"]),
                    told(row["applied_seconds"]),
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


def _of(release: Release) -> dict:
    return {
        "release": release.name,
        "generations": [
            {
                "generation": n,
                "applied": iso(release.applied(n)),
                "applied_seconds": release.applied(n),
                "changed": release.left(n).get("changed"),
                "live": n == release.generation,
            }
            for n in release.generations()
        ],
    }


def diff(name: str, before: int, after: int) -> dict:
    """Of the files as the manifests have them: what is merged into them on the host stays a placeholder."""
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


def diff_lines(found: dict) -> list[str]:
    return [line for difference in found["files"].values() for line in difference.splitlines()] or [
        f"no file differs between generations {found['from']} and {found['to']} of release {found['release']}"
    ]


def _of_file(path: str, *sides: tuple[Manifest, int]) -> str:
    old, new = (next((f for f in manifest.file if f.path == path), None) for manifest, _ in sides)
    if old == new:
        return ""
    names = [
        f"{path if file else '/dev/null'}\tgeneration {number}{_about(file)}"
        for file, (_, number) in zip((old, new), sides)
    ]
    text = list(
        difflib.unified_diff(*((file.content if file else "").splitlines() for file in (old, new)), *names, lineterm="")
    )
    if not text and old and new and _about(old) == _about(new):
        return ""  # only which units it concerns
    return masked("\n".join(text or [f"--- {names[0]}", f"+++ {names[1]}"]))


def _about(file: File | None) -> str:
    return f", {file.mode} {file.owner}" if file else ""


def kept_text(name: str, generation: int) -> str:
    """The manifest of a generation, unless it holds secrets."""
    release = known(name)
    live = release.manifest()
    if live and live.secret:
        raise Failure(f"release {name} is secret: its content is not shown, and its older manifests are not kept")
    if generation not in release.generations():
        kept = ", ".join(map(str, release.generations())) or "none"
        raise Failure(f"generation {generation} of release {name} is not kept on this host; there are: {kept}")
    text = release.text(generation)
    if stored(text).secret:
        raise Failure(f"generation {generation} of release {name} was secret: its content is not shown")
    return text


def known(name: str) -> Release:
    found = {release.name: release for release in store.releases()}
    if name not in found:
        raise Failure(f"release {name} is not on this host; there are: {', '.join(found) or 'none'}")
    return found[name]
