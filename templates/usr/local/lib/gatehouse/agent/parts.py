"""The folders that releases call their data, each release's for itself: what is wrong with one is in no other's way."""

from concurrent.futures import ThreadPoolExecutor

import commands
import restic
import store
import tree
from backups import Settings
from columns import legible
from manifest import Data
from report import Failure
from restic import Saved
from store import STATE

OURS = "gatehouse"  # the part that is no release's: the agent's secrets
_SECRETS = str(STATE / "secrets")
_AT_ONCE = 4  # copies, or hooks
_PATIENCE = 300  # seconds for a release to make its folders whole


class Parts:
    """All of them, while a backup is taken."""

    def __init__(self) -> None:
        self.incomplete: dict[str, str] = {}  # by release: what is not in the backup, and why
        named = {m.release: [data for data in m.data if data.path] for m in store.live()}
        self.members = {release: there for release, members in named.items() if (there := self._there(release, members))}

    def _there(self, release: str, members: list[Data]) -> list[Data]:
        """An app may have no volumes."""
        try:
            return [data for data in members if tree.status(data.path)]
        except (Failure, OSError) as error:
            self._note(release, str(error))
            return []

    def run_hooks(self, when: str) -> None:
        """What releases do `before` their folders are copied, or `after`."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda release: self._run_hook(release, when), self.members))

    def _run_hook(self, release: str, when: str) -> None:
        for data in self.members[release]:
            if argv := getattr(data, when):
                status, output = commands.run(argv, data.user, seconds=_PATIENCE)
                if status:
                    self._note(release, f"what it does {when} a copy of {data.name} failed: {legible(output)}")

    def save(self, s: Settings, name: str) -> dict[str, Saved]:
        """What is in the repository now, by release."""
        wanted = {release: paths for release, members in self.members.items() if (paths := [data.path for data in members if not _is_ours(data)])}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            ours = pool.submit(restic.save, s, name, [_SECRETS])
            found = dict(zip(wanted, pool.map(lambda release: self._save(s, name, release, wanted[release]), wanted)))
            # No application reaches these: where they fail, the repository is at fault and the backup fails.
            found[OURS] = ours.result()
        if found[OURS].complaint:
            raise Failure(f"the agent's secrets could not be copied: {found[OURS].complaint}")
        return {release: saved for release, saved in found.items() if saved}

    def folders(self, saved: dict[str, Saved]) -> dict[str, str]:
        """What is in the repository: path by release and name of data."""
        return {f"{release}/{data.name}": data.path for release, members in self.members.items() for data in members
                if release in saved or _is_ours(data)}

    def _save(self, s: Settings, name: str, release: str, paths: list[str]) -> Saved | None:
        try:
            saved = restic.save(s, name, paths)
        except (Failure, OSError) as error:
            self._note(release, f"its folders are not in the backup: {error}")
            return None
        if saved.complaint:
            self._note(release, f"not all of its folders is in the backup: {saved.complaint}")
        return saved

    def _note(self, release: str, what: str) -> None:
        before = self.incomplete.get(release)
        self.incomplete[release] = f"{before}; {what}" if before else what


def _is_ours(data: Data) -> bool:
    """What a release has among the agent's secrets, which are copied together."""
    return data.path.startswith(f"{_SECRETS}/")
