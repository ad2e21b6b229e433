"""A server's answers at its health paths and during its start, as observed with each series of authentik."""
from typing import Callable, NamedTuple

from versions import at_least

LIVE, READY = "/-/health/live/", "/-/health/ready/"


class Reply(NamedTuple):
    status: int
    body: str = ""
    kind: str = "text/html"


def page(title: str) -> str:
    return f"<!doctype html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1><p>A stand-in, not authentik.</p></body></html>\n"


STARTING = Reply(503, page("authentik starting"))
FAILED = Reply(500, page("Server Error"))  # for any page if the core does not reach PostgreSQL


def live(version: str, started: bool, reached: Callable[[], bool]) -> Reply:
    """In 2025.8 the router answers by itself, long before the core has started; later it forwards the request to the
    core."""
    return Reply(200) if not at_least(version, "2025.10") or started and reached() else Reply(502)


def ready(version: str, started: bool, reached: Callable[[], bool]) -> Reply:
    if not started:
        return STARTING
    return Reply(200) if reached() else FAILED if at_least(version, "2025.12") else Reply(503)
