"""`gatehouse status`: an overview of each release, and its problems. Changes nothing."""

from gatehouse.backup import directory_swap, inventory
from gatehouse.drift import facts, unmanaged
from gatehouse.health import disks, survey
from gatehouse.output.table import ago, columns, counted, iso, size
from gatehouse.protocol.answers import DiskStatus, ReleaseStatus, Status, WantedRelease
from gatehouse.release import images
from gatehouse.state import secrets, store, wanted
from gatehouse.state.store import Release
from gatehouse.system import firewall, systemd


def status() -> Status:
    secrets.learn_all()
    owned = unmanaged.owned()
    releases = [_look(release, owned) for release in store.releases() if not release.retained]
    (missing, behind), room = _lacks(), _disks()
    kept = inventory.overview() if inventory.SETTINGS.exists() else None
    waiting = directory_swap.kept()
    return {
        "healthy": all(release["healthy"] for release in releases)
        and (not kept or kept["healthy"])
        and not (missing or behind)
        and not any(disk["problem"] for disk in room),
        "releases": releases,
        "missing": missing,
        "behind": behind,
        "disks": room,
        "images": images.overview(),
        "retained": [release.name for release in store.releases() if release.retained],
        "backups": kept,
        "restored": waiting.what if waiting else None,
        "warnings": firewall.warnings(),
    }


def lines(found: Status) -> list[str]:
    rows: list[list[str]] = []
    complaints: list[list[str]] = []
    for r in found["releases"]:
        passing = sum(complaint is None for complaint in r["probes"].values())
        first, *others = [*r["units"].items(), *r["jobs"].items()] or [("-", "")]
        rows.append(
            [
                r["release"],
                str(r["generation"]),
                ago(r["applied_seconds"]),
                *first,
                f"{passing} of {len(r['probes'])} pass" if r["probes"] else "-",
                _host(r),
            ]
        )
        rows += [["", "", "", *unit, "", ""] for unit in others]
        complaints += [[r["release"], text] for text in _complaints(r)]
    for m in found["missing"]:
        rows.append([m["release"], "-", "-", "-", "", "-", "in progress" if m["in_progress"] else "missing"])
        complaints.append([m["release"], _lack(m, there=False)])
    # One in progress is among the releases.
    complaints += [[m["release"], _lack(m, there=True)] for m in found["behind"] if not m["in_progress"]]
    complaints += [["-", disk["problem"]] for disk in found["disks"] if disk["problem"]]
    if not rows and not complaints:
        return [*_kept(found), "no release is on this host"]
    head = ["RELEASE", "GENERATION", "APPLIED", "UNIT", "STATE", "PROBES", "HOST"]
    table = [*columns(head, rows), "", *_kept(found)]
    table += [line for warning in found["warnings"] for line in f"warning: {warning}".splitlines()]
    if found["healthy"]:
        return [*table, f"{counted(len(found['releases']), 'release')}, all healthy"]
    complaints += [["backup", text] for text in (inventory.complaints(found["backups"]) if found["backups"] else ())]
    return [*table, *columns(["RELEASE", "PROBLEM"], complaints)]


def _kept(found: Status) -> list[str]:
    summary = []
    taken = [
        f"{size(total)} {what}"
        for needed, what in (("live", "in use"), ("rollback", "kept for rollbacks"), ("no", "no longer needed"))
        if (total := sum(image["size"] for image in found["images"] if image["needed"] == needed))
    ]
    if taken:
        summary.append(f"images: {', '.join(taken)}")
    if found["retained"]:
        summary.append(f"secrets that stay for a later `pulumi up`: {', '.join(found['retained'])}")
    if kept := found["backups"]:
        newest = kept["backups"][-1]["marked_seconds"] if kept["backups"] else None
        summary.append(
            f"newest backup: {ago(newest)}, last good drill: {ago(kept['drill'].get('good'))}, in "
            f"{kept['repository']}, read {ago(kept['read'])}"
        )
    if found["restored"]:
        summary.append(
            f"restored to {found['restored']}: `gatehouse restore --confirm` deletes the previous data, `--undo` "
            "brings it back"
        )
    return summary


def _lacks() -> tuple[list[WantedRelease], list[WantedRelease]]:
    """The releases that are not on this host, and those that are in an earlier version."""
    missing: list[WantedRelease] = []
    behind: list[WantedRelease] = []
    for lack in wanted.lacks():
        with store.glance(f"release-{lack.release}") as busy:
            (behind if lack.there else missing).append(
                {"release": lack.release, "stack": lack.stack, "in_progress": busy, "why": lack.why}
            )
    return missing, behind


def _lack(m: WantedRelease, there: bool) -> str:
    if m["in_progress"]:
        return f"{m['in_progress']} is in progress"
    return wanted.described(wanted.Lack(m["release"], m["stack"], there, m["why"]))


def _disks() -> list[DiskStatus]:
    return [
        {"paths": disk.paths, "point": disk.point, "size": disk.size, "free": disk.free, "problem": disk.problem}
        for disk in disks.survey()
    ]


def _look(release: Release, owned: set[str]) -> ReleaseStatus:
    with store.glance(f"release-{release.name}") as busy:
        manifest = release.manifest()
        names = [u.name for u in manifest.unit] if manifest else []
        states, jobs = systemd.show(names, "ActiveState"), systemd.show(systemd.triggered(names), "ActiveState")
        found: ReleaseStatus = {
            "healthy": True,
            "release": release.name,
            "generation": release.generation,
            "applied_seconds": release.applied(),
            "applied": iso(release.applied()),
            "units": {name: state["ActiveState"] for name, state in states.items()},
            "jobs": {name: state["ActiveState"] for name, state in jobs.items()},
            "probes": survey.ask(manifest.probe, manifest.secret) if manifest else {},
            "in_progress": busy,
            "interrupted": not busy and release.record.exists(),
            "drifted": [] if busy else [str(difference) for difference in facts.of_release(release, owned)],
        }
    down = [name for name, state in found["units"].items() if state not in systemd.RUNNING]
    unhealthy = down or _failed(found) or any(found["probes"].values())
    return {**found, "healthy": not (busy or found["interrupted"] or found["drifted"] or unhealthy)}


def _failed(r: ReleaseStatus) -> list[str]:
    """A timer's job is healthy whether or not it is running; only a failed last run is reported."""
    return [name for name, state in r["jobs"].items() if state == "failed"]


def _host(r: ReleaseStatus) -> str:
    if r["in_progress"]:
        return "in progress"
    if r["interrupted"]:
        return "interrupted"
    if r["drifted"]:
        return "drifted"
    return "in sync" if r["healthy"] else "unhealthy"


def _complaints(r: ReleaseStatus) -> list[str]:
    """Each problem once: an inactive unit is also reported as drift."""
    found = [f"{r['in_progress']} is in progress"] if r["in_progress"] else list(r["drifted"])
    if not r["drifted"]:
        found += [f"{name} is {state}" for name, state in r["units"].items() if state not in systemd.RUNNING]
    found += [f"the last run of {name} failed" for name in _failed(r)]
    return found + [
        f"probe {name}: {' '.join(complaint.split())}" for name, complaint in r["probes"].items() if complaint
    ]
