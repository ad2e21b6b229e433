"""Log lines in authentik's format: JSON, one per line. Each says that this is the stand-in."""
import json
import sys
import time


def log(event: str, level: str = "info", **fields: object) -> None:
    line = {"event": f"stand-in: {event}", "level": level, **fields, "timestamp": time.time()}
    print(json.dumps(line), file=sys.stderr if level == "error" else sys.stdout, flush=True)
