"""The data folders of releases, each handled separately: an error in one does not affect the others."""

from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from gatehouse.backup import restic
from gatehouse.backup.inventory import Backup, Settings
from gatehouse.backup.restic import Saved
from gatehouse.output.report import Failure
from gatehouse.output.table import counted, legible
from gatehouse.protocol.manifest import Data
from gatehouse.state import store
from gatehouse.state.store import STATE
from gatehouse.system import process, safepath

OURS = "gatehouse/secrets"  # the part that belongs to no release: the agent's secrets
_SECRETS = str(STATE / "secrets")
_AT_ONCE = 4  # copies or hooks in parallel
_PATIENCE = 300  # seconds for a release to make its folders consistent


class Parts:
    """All parts of a backup that is being taken."""

    def __init__(self) -> None:
        self._noting = Lock()
        self.incomplete: dict[str, str] = {}  # by release: data that is not in the backup, and why
        named = {m.release: [data for data in m.data if data.path] for m in store.live()}
        self.members = {
            release: there for release, members in named.items() if (there := self._there(release, members))
        }

    def _there(self, release: str, members: list[Data]) -> list[Data]:
        """The folders that exist: an app may have no volumes."""
        try:
            return [data for data in members if data.path and safepath.status(data.path)]
        except (Failure, OSError) as error:
            self._note(release, str(error))
            return []

    def run_hooks(self, when: str) -> None:
        """Run the commands that releases define for `before` or `after` the copying of their folders."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda release: self._run_hook(release, when), self.members))

    def _run_hook(self, release: str, when: str) -> None:
        for data in self.members[release]:
            if argv := getattr(data, when):
                status, output = process.run(argv, data.user, seconds=_PATIENCE)
                if status:
                    self._note(release, f"the command {when} the backup of {data.name} failed: {legible(output)}")

    def save(self, s: Settings, name: str) -> dict[str, Saved]:
        """Copy all folders. Returns those that are now in the repository, by release and name of data. Raises Failure
        if the agent's own secrets could not be copied."""
        wanted = {key: path for key, path in self._paths().items() if not _is_ours(path)}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            ours = pool.submit(restic.save, s, name, _SECRETS)
            found = list(pool.map(lambda key: self._save(s, name, key, wanted[key]), wanted))
            # No application can reach these: if they fail, the repository is at fault and the backup fails.
            secrets = ours.result()
        if secrets.complaint:
            raise Failure(f"the agent's secrets could not be copied: {secrets.complaint}")
        return {key: saved for key, saved in zip(wanted, found, strict=True) if saved} | {OURS: secrets}

    def note_emptied(self, saved: dict[str, Saved], before: Backup) -> None:
        """Report folders that have become empty, since a folder with an unmounted disk looks like an intentionally
        empty one."""
        for key, one in saved.items():
            files, _ = before.parts.get(key, (0, 0))
            if files and not one.files:
                self._note(
                    key.partition("/")[0],
                    f"{one.places[0]} is empty, but had {counted(files, 'file')} in backup {before.name}: is its disk "
                    "mounted?",
                )

    def folders(self, saved: dict[str, Saved]) -> dict[str, str]:
        """The folders in the repository: path by release and name of data."""
        return {key: path for key, path in self._paths().items() if key in saved or _is_ours(path)}

    def _paths(self) -> dict[str, str]:
        return {
            f"{release}/{data.name}": data.path
            for release, members in self.members.items()
            for data in members
            if data.path
        }

    def _save(self, s: Settings, name: str, key: str, path: str) -> Saved | None:
        release = key.partition("/")[0]
        try:
            saved = restic.save(s, name, path)
        except (Failure, OSError) as error:
            self._note(release, f"{path} is not in the backup: {error}")
            return None
        if saved.complaint:
            self._note(release, f"not all of {path} is in the backup: {saved.complaint}")
        return saved

    def _note(self, release: str, what: str) -> None:
        with self._noting:
            before = self.incomplete.get(release)
            self.incomplete[release] = f"{before}; {what}" if before else what


def paths() -> dict[str, str]:
    """The current folders: path by release and name of data, without those among the agent's secrets."""
    return {
        f"{m.release}/{data.name}": data.path
        for m in store.live()
        for data in m.data
        if data.path and not _is_ours(data.path)
    }


def _is_ours(path: str) -> bool:
    """Whether a path is among the agent's secrets, which are copied together."""
    return path.startswith(f"{_SECRETS}/")
