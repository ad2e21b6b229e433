"""`gatehouse rollback`: applies the manifest of an older generation like any other. The program learns about it from
the next facts."""

from pathlib import Path

from gatehouse.cli import history
from gatehouse.output.report import Failure
from gatehouse.protocol.answers import RollbackAnswer
from gatehouse.protocol.document import digest, sealed
from gatehouse.protocol.manifest import stored
from gatehouse.release import apply
from gatehouse.state import store
from gatehouse.state.store import UNPROVEN


def rollback(name: str, generation: int | None = None) -> RollbackAnswer:
    """The older manifest creates a new generation; if that does not become healthy, the live one is restored.

    Raises Failure in that case, or for a generation that cannot be applied again."""
    release = history.known(name)
    if generation is None:
        generation = _before(release)
    text = history.kept_text(name, generation)
    if generation == release.generation:
        raise Failure(f"generation {generation} of release {name} is live; nothing was changed")
    if text.startswith(UNPROVEN):
        raise Failure(f"generation {generation} of release {name} was never found healthy; nothing was changed")
    if gone := [folder for folder in stored(text).refers if not Path(folder).is_dir()]:
        raise Failure(
            f"generation {generation} of release {name} uses secrets that no longer exist: {', '.join(gone)}; "
            "nothing was changed"
        )
    done = apply.apply(text, downgrade=True)
    item = f"release-{name}"
    record = store.item(item)
    given = record is not None and record.document == digest(sealed(text))
    store.note(item, None if given else f"release {name} was rolled back by hand to generation {generation}")
    return {
        "release": done["release"],
        "generation": done["generation"],
        "changed": done["changed"],
        "units": done["units"],
        "rolled_back_to": generation,
    }


def lines(done: RollbackAnswer) -> list[str]:
    return [
        f"release {done['release']} is rolled back to generation {done['rolled_back_to']}, as generation "
        f"{done['generation']}",
        "the next `pulumi preview` reports it, and the next `pulumi up` applies the configured version again",
    ]


def _before(release: store.Release) -> int:
    history.kept_text(release.name, release.generation)  # for a secret release, raises the specific error
    older = [
        n
        for n in release.generations()
        if n < release.generation and not (release.text(n) or UNPROVEN).startswith(UNPROVEN)
    ]
    if not older:
        raise Failure(f"release {release.name} has no generation before the live one; nothing was changed")
    return older[-1]
