"""`ak create_recovery_key`, and the page that its link opens."""
import os
import secrets

import config
import database


def create_recovery_key(version: str, minutes: str, user: str) -> None:
    """A link that logs in once: only its path, to be appended to the public address."""
    given, key = config.load(dict(os.environ), version)[0], secrets.token_hex(30)
    if not database.ask(given, "SELECT 1 FROM authentik_core_user WHERE username = %s", user):
        raise LookupError(f"User matching query does not exist: {user}")
    database.ask(given, "INSERT INTO stand_in_recovery VALUES (%s, %s, now() + %s * interval '1 minute') RETURNING key", key, user, int(minutes))
    print(f"Store this link safely, as it will allow anyone to access authentik as {user}.\n/recovery/use-token/{key}/")


def use_recovery_key(given: dict, key: str) -> bool:
    """Whether the key is valid: once, and before it expires."""
    return bool(database.ask(given, "DELETE FROM stand_in_recovery WHERE key = %s AND expires > now() RETURNING username", key))
