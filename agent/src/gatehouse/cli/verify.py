"""`gatehouse verify`: differences from the last applied state, as text. Changes nothing, and shows no file contents."""

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
                messages = items.get(f"release-{release.name}")
                if messages is None:
                    found = facts.of_release(release, owned) + survey.complaints(manifest)
                    messages = items[f"release-{release.name}"] = [str(difference) for difference in found]
                # Includes wrong permissions of runtime directories that an apply could not correct and does not try
                # again.
                more = unmanaged.images_of(release, manifest) + unmanaged.modes_of(manifest)
                messages += [str(difference) for difference in more if str(difference) not in messages]
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
