"""Folders: restic, which keeps each different piece of them once."""

import json

import commands
from backups import Settings
from report import Failure

_INCOMPLETE, _NO_REPOSITORY = 3, 10  # exit statuses of restic's
_FOLDERS, _RECORD = "gatehouse=", "record="  # tags, with the name of a backup


def prepare(s: Settings) -> None:
    status, output = _run(s, "cat", "config")
    if status == _NO_REPOSITORY:
        status, output = _run(s, "init")
    if status:
        raise Failure(f"the repository of folders in {s.repository} cannot be used:\n{commands.indented(output)}")


def save(s: Settings, name: str, paths: list[str]) -> dict:
    """Copies the folders of a backup; restic's own summary."""
    return _save(s, f"{_FOLDERS}{name}", paths)


def save_record(s: Settings, name: str, path: str) -> None:
    """The file that tells what a backup has, which is known only once all else is saved."""
    _save(s, f"{_RECORD}{name}", [path])


def _save(s: Settings, tag: str, paths: list[str]) -> dict:
    status, output = _run(s, "backup", "--json", "--quiet", "--host=gatehouse", f"--tag={tag}", "--one-file-system", "--", *paths)
    told = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    # A file that went while its folder was read is no file of that moment's.
    gone = all("no such file or directory" in one["error"]["message"] for one in told if one["message_type"] == "error")
    summary = next((one for one in told if one["message_type"] == "summary"), None)
    if summary is None or not (status == 0 or status == _INCOMPLETE and gone):
        raise Failure(f"folders could not be copied:\n{commands.indented(output)}")
    return summary


def folders(s: Settings) -> dict[str, dict]:
    """What restic knows of the copies of folders, by the backup's name."""
    return _tagged(s, _FOLDERS)


def records(s: Settings) -> dict[str, dict]:
    return _tagged(s, _RECORD)


def _tagged(s: Settings, prefix: str) -> dict[str, dict]:
    return {tag.removeprefix(prefix): one for one, tag in _listed(s) if tag.startswith(prefix)}


def _listed(s: Settings) -> list[tuple[dict, str]]:
    """Every snapshot in the repository, with each of its tags."""
    status, output = _run(s, "snapshots", "--json", "--quiet")
    if status:
        raise Failure(f"the repository of folders in {s.repository} cannot be read:\n{commands.indented(output)}")
    return [(one, tag) for one in json.loads(commands.line(output, "[")) for tag in one.get("tags") or ()]


def keep(s: Settings, names: set[str]) -> None:
    """All but these is deleted."""
    wanted = {f"{prefix}{name}" for prefix in (_FOLDERS, _RECORD) for name in names}
    old = [one["id"] for one, tag in _listed(s) if tag.startswith((_FOLDERS, _RECORD)) and tag not in wanted]
    if old:
        status, output = _run(s, "forget", "--prune", "--quiet", *old)
        if status:
            raise Failure(f"old copies of folders could not be deleted:\n{commands.indented(output)}")


def restore(s: Settings, snapshot: dict, path: str, below: str) -> None:
    """One folder of a snapshot, to where it was but `below` another; read back and compared with what was saved."""
    status, output = _run(s, "restore", snapshot["id"], f"--include={path}", f"--target={below}", "--verify", "--quiet")
    if status:
        raise Failure(f"{path} cannot be restored:\n{commands.indented(output)}")


def record(s: Settings, snapshot: dict, path: str) -> str:
    """The file that `save_record` put there."""
    status, output = _run(s, "dump", "--quiet", snapshot["id"], path)
    if status:
        raise Failure(f"{path} is not in the backup:\n{commands.indented(output)}")
    return commands.line(output, "{")


def _run(s: Settings, *words: str) -> tuple[int, str]:
    environment = ("env", *s.restic_environment) if s.restic_environment else ()
    return commands.run((*environment, *s.restic, *words), seconds=commands.LONG)
