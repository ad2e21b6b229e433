"""The series of authentik that the stand-in knows, oldest first."""

SERIES = ["2025.8", "2025.10", "2025.12", "2026.2", "2026.5", "2026.8"]


def series(version: str) -> str:
    """'2026.8.3' belongs to '2026.8'."""
    found = ".".join(version.split(".")[:2])
    if found not in SERIES:
        raise ValueError(f"'{version}' is of no known series; known: {', '.join(SERIES)}. Add new ones to versions.py")
    return found


def steps(older: str, newer: str) -> int:
    """The number of major series from one version to another; negative for a downgrade."""
    return SERIES.index(series(newer)) - SERIES.index(series(older))


def at_least(version: str, first: str) -> bool:
    return steps(first, version) >= 0
