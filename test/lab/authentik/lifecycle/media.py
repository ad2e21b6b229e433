"""Uploads: where each version stores them, and the address that it returns for them. `PUT` replaces an upload in the
web interface."""
from pathlib import Path

from versions import at_least


def folder(version: str) -> Path:
    return Path("/data/media/public" if at_least(version, "2025.12") else "/media/public")


def prefix(version: str) -> str:
    return "/files/media/public/" if at_least(version, "2025.12") else "/media/public/"


def found(version: str, path: str | None) -> Path | None:
    """The file for an address; it may not exist."""
    name = (path or "").removeprefix(prefix(version))
    return folder(version) / name if name not in (path, "") and ".." not in name.split("/") else None
