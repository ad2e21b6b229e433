"""The way up of a server or worker: settings, stores, migration, listeners."""
import os
import signal
import time
from pathlib import Path

import psycopg2
import redis

import config
import database
import valkey
from log import log
from versions import at_least
from web import Site

VERSION = os.environ["AUTHENTIK_STANDIN_VERSION"]
UNHEALTHY = os.environ.get("AUTHENTIK_STANDIN_UNHEALTHY") == "1"
DATA = "/data" if at_least(VERSION, "2025.12") else "/media"
AUTHENTIK = 1000  # the image's user and group
TRIES = 30


def start(mode: str, temporary: Path) -> None:
    log("starting", version=VERSION, mode=mode)
    become_authentik()
    settings, unknown = config.load(dict(os.environ), VERSION)
    for name in unknown:
        log("unknown setting, ignored", "warning", name=name)
    if len(settings["secret_key"]) < 50:
        log("(security.W009) SECRET_KEY has less than 50 characters", "warning")
    if os.path.ismount(DATA) and not os.access(DATA, os.W_OK):
        raise PermissionError(13, f"{DATA} is mounted but not writable by uid {os.getuid()}; give it to that user")
    wait_for("PostgreSQL", lambda: database.ask(settings, "SELECT 1"))
    if valkey.used_by(VERSION):
        wait_for("Valkey", lambda: valkey.ping(settings))
    database.migrate(settings, VERSION)
    (temporary / "authentik-mode").write_text(mode)
    # The Python worker of 2025.8 reads its addresses by a second name.
    prefix = "listen.listen_" if mode == "worker" and not at_least(VERSION, "2025.10") else "listen."
    Site(settings, VERSION, mode, DATA, UNHEALTHY).listen(
        settings[f"{prefix}http"],
        settings["listen.https"] if mode == "server" else [],
        settings[f"{prefix}metrics"],
        temporary / "authentik.sock",
    )
    while True:
        signal.pause()


def become_authentik() -> None:
    """As the real image: started as root, it gives up root and every group it was given."""
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
        except (psycopg2.Error, redis.RedisError) as error:
            log(f"{store} connection failed, retrying", "warning", error=str(error).strip())
            time.sleep(1)
    raise ConnectionError(f"{store} did not answer in {TRIES} tries")
