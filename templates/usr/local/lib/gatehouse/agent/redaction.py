"""What a file that was changed by hand may show of itself: a diff without what is, or looks like, a secret."""

import difflib
import re

from report import masked

_LONGEST = 60  # lines of a diff: it goes into a preview
_HIDDEN = "[hidden]"
# A file's path, or where to find one, is no secret.
_NAMED = re.compile(r"(?i)^(.*(?:pass|secret|token|credential|private|api.?key|_key)[\w.-]*[\"']?(?:\s*[:=]\s*|\s+))(?!file://|/)\S.*$")
_OPAQUE = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+_-][A-Za-z0-9+/_-]{31,}=*")


def unified(path: str, left: str, there: bytes) -> str:
    """From what was left to what is there now. The manifest's own lines are open; what somebody wrote since may be anything."""
    try:
        now = masked(there.decode()).splitlines()
    except UnicodeDecodeError:
        return "no diff is shown: it is not text any more"
    lines = list(difflib.unified_diff(masked(left).splitlines(), now, f"{path}\tas it was left", f"{path}\tas it is now", lineterm=""))
    shown = lines[:2] + [f"+{_redacted(line[1:])}" if line.startswith("+") else line for line in lines[2:_LONGEST]]
    return "\n".join(shown + ([f"({len(lines) - _LONGEST} more lines)"] if len(lines) > _LONGEST else []))


def _redacted(line: str) -> str:
    return _OPAQUE.sub(_HIDDEN, _NAMED.sub(rf"\1{_HIDDEN}", line))
