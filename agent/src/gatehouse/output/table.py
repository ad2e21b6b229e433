"""Text for a terminal: aligned columns, times and their age."""

import time

from gatehouse.output.report import plain


def columns(head: list[str], rows: list[list[str]]) -> list[str]:
    rows = [[plain(cell).replace("\n", "\\x0a") for cell in row] for row in rows]  # a file name must not add a row
    widths = [max(map(len, cells)) for cells in zip(head, *rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    ]


def ago(moment: float | None) -> str:
    """The age of a time; clamped to zero, since the clock may have been adjusted."""
    if moment is None:
        return "never"
    passed = max(0, int(time.time() - moment))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if passed >= size:
            return f"{passed // size} {unit} ago"
    return f"{passed} s ago"


def local_time(moment: float) -> str:
    """For display, in the host's time zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))


def iso(moment: float | None) -> str | None:
    """In UTC, for programs."""
    return None if moment is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def size(number: float) -> str:
    *units, largest = ("B", "KiB", "MiB", "GiB", "TiB")
    for unit in units:
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 10 else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.0f} {largest}" if number >= 10 else f"{number:.1f} {largest}"


def legible(text: str, most: int = 300) -> str:
    """Text chosen by an application, such as a name, as one line of limited length."""
    words = plain(" ".join(text.split()))
    return words if len(words) <= most else f"{words[:most]} ..."
