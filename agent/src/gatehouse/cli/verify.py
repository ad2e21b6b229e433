"""`gatehouse verify`: differences from the last applied state, as text. Changes nothing, and shows no file contents."""

from gatehouse.drift import facts, unmanaged
from gatehouse.drift.unreadable import unreadable
from gatehouse.health import survey
from gatehouse.output.table import columns, counted
from gatehouse.protocol.answers import VerifyAnswer
from gatehouse.protocol.difference import Difference
from gatehouse.state import store, wanted


def verify() -> VerifyAnswer:
    owned = unmanaged.owned()
    answered = facts.facts()["items"]
    items = {item: [Difference.read(one) for one in found["differences"]] for item, found in answered.items()}
    for release in store.releases():
        with store.glance(f"release-{release.name}") as busy:
            if not busy and not release.retained and (manifest := release.manifest()):
                found = items.get(f"release-{release.name}")
                if found is None:
                    found = items[f"release-{release.name}"] = facts.of_release(release, owned)
                    found += survey.complaints(manifest)
                # Includes wrong permissions of runtime directories that an apply could not correct and does not try
                # again.
                more = unmanaged.images_of(release, manifest) + unmanaged.modes_of(manifest) + unreadable(manifest)
                found += [difference for difference in more if difference not in found]
    for lack in wanted.lacks():
        what = "behind" if lack.there else "missing"
        items.setdefault(f"release-{lack.release}", []).append(
            Difference("generation", lack.release, what, wanted.described(lack))
        )
    unexpected = unmanaged.unexpected(owned)
    messages = {item: [str(difference) for difference in found] for item, found in items.items()}
    for item, facts_of in answered.items():
        if "busy" in facts_of:
            messages[item].append(f"not known yet: {facts_of['busy']} is in progress")
    return {"in_sync": not (unexpected or any(messages.values())), "items": messages, "unexpected": unexpected}


def lines(found: VerifyAnswer) -> list[str]:
    rows = [
        [item.replace("-", " ", 1), difference]
        for item, differences in found["items"].items()
        for difference in differences
    ]
    rows += [["unexpected", path] for path in found["unexpected"]]
    if not rows:
        return [f"in sync: {counted(len(found['items']), 'item')}, no differences"]
    return columns(["ITEM", "DIFFERENCE"], rows)
