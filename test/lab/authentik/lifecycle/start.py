"""The start of a server or worker: settings, listeners, stores, migration, and the time that the core takes."""
import os
import signal
import time
from pathlib import Path

import psycopg2

import config
import database
import first
import valkey
from log import log
from versions import at_least
from web import Site

VERSION = os.environ["AUTHENTIK_STANDIN_VERSION"]
UNHEALTHY = os.environ.get("AUTHENTIK_STANDIN_UNHEALTHY") == "1"
# Seconds. The real core takes 60 to 130 to start on two busy cores, and its first migration about 400.
BOOT = float(os.environ.get("AUTHENTIK_STANDIN_BOOT", "0.3"))
MIGRATION = float(os.environ.get("AUTHENTIK_STANDIN_MIGRATION", "0"))
DATA = "/data" if at_least(VERSION, "2025.12") else "/media"
AUTHENTIK = 1000  # the image's user and group
TRIES = 30


def start(mode: str, temporary: Path) -> None:
    log("starting", version=VERSION, mode=mode)
    become_authentik()
    (temporary / "authentik-mode").write_text(mode)
    settings, unknown = config.load(dict(os.environ), VERSION)
    for name in unknown:
        log("unknown setting, ignored", "warning", name=name)
    if len(settings["secret_key"]) < 50:
        log("(security.W009) SECRET_KEY has less than 50 characters", "warning")
    if os.path.ismount(DATA) and not os.access(DATA, os.W_OK):
        raise PermissionError(13, f"{DATA} is mounted but not writable by uid {os.getuid()}; give it to that user")
    site = Site(settings, VERSION, mode, DATA)
    if mode == "server":
        listen(site, temporary)  # the router starts at once, and reports that the core has not started yet
        boot_until_it_works(settings)
    else:
        boot(settings)
        first.make(settings, VERSION)
        listen(site, temporary)
        (temporary / "authentik-worker.pid").write_text(str(os.getpid()))
    site.started = True
    log("started", mode=mode)
    while True:
        signal.pause()


def listen(site: Site, temporary: Path) -> None:
    https = site.settings["listen.https"] if site.mode == "server" else []
    site.listen(site.settings["listen.http"], https, site.settings["listen.metrics"], temporary / "authentik.sock")


def boot(settings: dict) -> None:
    wait_for("PostgreSQL", lambda: database.ask(settings, "SELECT 1"))
    if valkey.used_by(VERSION):
        wait_for("Valkey", lambda: valkey.ping(settings))
    database.migrate(settings, VERSION, MIGRATION)
    time.sleep(BOOT)
    if UNHEALTHY:
        raise RuntimeError("this image breaks half way")


def boot_until_it_works(settings: dict) -> None:
    """The server survives a failing core and restarts it forever. A worker exits."""
    while True:
        try:
            return boot(settings)
        except Exception as error:
            log("the core has ended, starting it again", "error", error=f"{type(error).__name__}: {error}")
            time.sleep(1)


def become_authentik() -> None:
    """Like the real image: if started as root, it drops root and all its groups."""
    if os.getuid() != 0:
        log("Not running as root, disabling permission fixes")
        return
    if os.path.ismount(DATA):
        os.chown(DATA, AUTHENTIK, AUTHENTIK)
    os.setgroups([AUTHENTIK])
    os.setgid(AUTHENTIK)
    os.setuid(AUTHENTIK)


def wait_for(store: str, reach) -> None:
    for _ in range(TRIES):
        try:
            reach()
            return
        except (psycopg2.Error, ConnectionError) as error:
            log(f"{store} connection failed, retrying", "warning", error=str(error).strip())
            time.sleep(1)
    raise ConnectionError(f"{store} did not answer in {TRIES} tries")
