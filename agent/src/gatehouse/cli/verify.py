"""`gatehouse verify`: what differs from what was left, for people. Changes nothing, and shows no content."""

from gatehouse.drift import facts, unmanaged
from gatehouse.health import survey
from gatehouse.output.table import columns, counted
from gatehouse.protocol.answers import VerifyAnswer
from gatehouse.state import store


def verify() -> VerifyAnswer:
    owned = unmanaged.owned()
    items = {
        item: found["drifted"] + ([f"not known yet: {found['busy']} is under way"] if "busy" in found else [])
        for item, found in facts.facts()["items"].items()
    }
    for release in store.releases():
        with store.glance(f"release-{release.name}") as busy:
            if not busy and (manifest := release.manifest()):
                told = items.get(f"release-{release.name}")
                if told is None:
                    told = items[f"release-{release.name}"] = facts.of_release(release, owned) + survey.complaints(
                        manifest
                    )
                # Of runtime directories also what an apply could not put right, which it does not try again.
                told += [
                    more
                    for more in unmanaged.images_of(release, manifest) + unmanaged.modes_of(manifest)
                    if more not in told
                ]
    unexpected = unmanaged.unexpected(owned)
    return {"well": not (unexpected or any(items.values())), "items": items, "unexpected": unexpected}


def lines(found: VerifyAnswer) -> list[str]:
    rows = [
        [item.replace("-", " ", 1), difference]
        for item, differences in found["items"].items()
        for difference in differences
    ]
    rows += [["unexpected", path] for path in found["unexpected"]]
    if not rows:
        return [f"clean: {counted(len(found['items']), 'item')}, nothing differs from what was left"]
    return columns(["ITEM", "DIFFERENCE"], rows)
