"""Folders: restic, which keeps each different piece of them once."""

import json

import commands
from backups import Settings
from report import Failure

_PATIENCE = 24 * 3600  # seconds: folders may be large
_NO_REPOSITORY = 10  # restic's exit status
_NAME = "gatehouse="


def prepare(s: Settings) -> None:
    status, output = _run(s, "cat", "config")
    if status == _NO_REPOSITORY:
        status, output = _run(s, "init")
    if status:
        raise Failure(f"the repository of folders in {s.repository} cannot be used:\n{commands.indented(output)}")


def save(s: Settings, name: str, paths: list[str]) -> dict:
    """Copies folders, to be told by `name`; restic's own summary."""
    status, output = _run(s, "backup", "--json", "--quiet", "--host=gatehouse", f"--tag={_NAME}{name}", "--one-file-system", "--", *paths)
    if status:
        raise Failure(f"folders could not be copied:\n{commands.indented(output)}")
    return json.loads(output.strip().splitlines()[-1])


def snapshots(s: Settings) -> dict[str, dict]:
    """What restic knows of each, by the backup's name, oldest first."""
    status, output = _run(s, "snapshots", "--json", "--quiet")
    if status:
        raise Failure(f"the repository of folders in {s.repository} cannot be read:\n{commands.indented(output)}")
    found = sorted(json.loads(output), key=lambda snapshot: snapshot["time"])
    return {tag.removeprefix(_NAME): one for one in found for tag in one.get("tags") or () if tag.startswith(_NAME)}


def forget(s: Settings, snapshots: list[dict]) -> None:
    if snapshots:
        status, output = _run(s, "forget", "--prune", "--quiet", *(one["id"] for one in snapshots))
        if status:
            raise Failure(f"old copies of folders could not be deleted:\n{commands.indented(output)}")


def restore(s: Settings, snapshot: dict, path: str, below: str) -> None:
    """One folder of a snapshot, to where it was but `below` another; read back and compared with what was saved."""
    status, output = _run(s, "restore", snapshot["id"], f"--include={path}", f"--target={below}", "--verify", "--quiet")
    if status:
        raise Failure(f"{path} cannot be restored:\n{commands.indented(output)}")


def text(s: Settings, snapshot: dict, path: str) -> str:
    """A file of a snapshot."""
    status, output = _run(s, "dump", "--quiet", snapshot["id"], path)
    if status:
        raise Failure(f"{path} is not in the backup:\n{commands.indented(output)}")
    return output


def _run(s: Settings, *words: str) -> tuple[int, str]:
    # Its cache would hold the names of files in the clear.
    environment = ("env", *s.restic_environment) if s.restic_environment else ()
    return commands.run((*environment, *s.restic, "--no-cache", *words), seconds=_PATIENCE)
