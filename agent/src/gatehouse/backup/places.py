"""Maps the folders of a backup to this host, where releases may have moved them since."""

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
    saved: str  # path of the folder in the backup
    live: str  # path of the folder that it replaces
    inside: str  # path where the saved folder belongs: `live` itself, or a directory below it
    made: tuple[Directory, ...] = ()  # directories to create in `live` around it


def of(backup: Backup) -> list[Place]:
    """The place of each folder in the backup, except those of releases that have been removed.

    Raises Failure if the data of a release has moved and the manifest does not give its former path."""
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
                    f"{data.path} on this host; nothing was changed"
                )
            found.append(Place(name, saved, data.path, inside, () if saved == data.path else below))
    return found


def arrange(place: Place, shelf: str, saved: str) -> None:
    """Move a folder that was restored below `shelf` to its place in the new live folder. `saved` is its real location
    when it was saved."""
    for directory in place.made:
        if directory.path == place.inside:
            safepath.rename(shelf + saved, shelf + directory.path)
        files.put_folder(shelf + directory.path, *files.wanted_folder(directory))
