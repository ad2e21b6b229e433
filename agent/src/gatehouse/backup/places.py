"""Where the folders of a backup belong on this host, whose releases may have given them another place since."""

from dataclasses import dataclass

from gatehouse.backup.inventory import Backup
from gatehouse.output.report import Failure
from gatehouse.protocol.manifest import Directory
from gatehouse.state import store
from gatehouse.system import safepath
from gatehouse.tree import files


@dataclass(frozen=True)
class Place:
    name: str  # of the release and its data
    saved: str  # the folder as the backup has it
    live: str  # the folder whose place it takes
    inside: str  # where what was saved belongs: `live` itself, or a folder below it
    made: tuple[Directory, ...] = ()  # what is made of `live` around it


def of(backup: Backup) -> list[Place]:
    """Of each folder in the backup, but for those of releases that are gone.

    Raises Failure where a release has its data at a place that does not say where it was before.
    """
    found = []
    for manifest in store.live():
        for data in manifest.data:
            name = f"{manifest.release}/{data.name}"
            saved = backup.folders.get(name)
            if saved is None or data.path is None:
                continue
            below = tuple(d for d in manifest.directory if f"{d.path}/".startswith(f"{data.path}/"))
            inside = data.path if saved == data.path else next((d.path for d in below if d.formerly == saved), None)
            if inside is None:
                raise Failure(
                    f"backup {backup.name} has {saved} as data {data.name} of release {manifest.release}, which is "
                    f"{data.path} on this host; nothing was done"
                )
            found.append(Place(name, saved, data.path, inside, () if saved == data.path else below))
    return found


def arrange(place: Place, shelf: str, saved: str) -> None:
    """Move what was restored below `shelf` to its place in the folder that it is to become. It was saved from where the
    folder really was."""
    for directory in place.made:
        if directory.path == place.inside:
            safepath.rename(shelf + saved, shelf + directory.path)
        files.put_folder(shelf + directory.path, *files.wanted_folder(directory))
