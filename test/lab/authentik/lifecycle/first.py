"""The first administrator, and the setup page, which is open until an administrator has a password."""
import hashlib
import os

import database
from versions import at_least


def make(settings: dict, version: str) -> None:
    """Run by the worker: at its first start, and from 2026.5 on also if the setup was never done."""
    given = settings.get("bootstrap_password")
    password = settings.get("bootstrap_password_hash") or (given and hashed(given))
    database.ask(settings, "INSERT INTO authentik_core_user (username, password) VALUES ('akadmin', %s) ON CONFLICT DO NOTHING RETURNING id", password)
    if at_least(version, "2026.5") and password:
        database.ask(settings, "UPDATE authentik_core_user SET password = %s WHERE username = 'akadmin' AND password IS NULL RETURNING id", password)


def hashed(password: str) -> str:
    """A hash in Django's format, with fewer iterations."""
    salt = os.urandom(8).hex()
    return f"pbkdf2_sha256$1000${salt}${hashlib.pbkdf2_hmac('sha256', password.encode(), salt.encode(), 1000).hex()}"


def setup(settings: dict) -> dict:
    """Open only for the first request; later requests are denied, whether or not a password was set."""
    has_password, opened = database.ask(settings, """SELECT EXISTS (SELECT FROM authentik_core_user WHERE username = 'akadmin' AND password IS NOT NULL),
        EXISTS (SELECT FROM stand_in_setup)""")[0]
    if has_password or opened:
        return {"component": "ak-stage-access-denied", "error_message": "Request has been denied. Flow does not apply to current user."}
    database.ask(settings, "INSERT INTO stand_in_setup VALUES (true) RETURNING opened")
    return {"component": "ak-stage-prompt"}
