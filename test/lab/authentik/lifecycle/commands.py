"""Commands of `ak` that an operator types: what they print, and what they leave in the database."""
import os
import secrets
import sys
from pathlib import Path

import yaml

import config
import database

BLUEPRINTS = Path("/blueprints")


class Blueprint(yaml.SafeLoader):
    """YAML with authentik's own tags, such as !KeyOf and !Find, of which none is looked up here."""


Blueprint.add_multi_constructor("!", lambda loader, tag, node: f"!{tag}")


def settings(version: str) -> dict:
    return config.load(dict(os.environ), version)[0]


def create_recovery_key(version: str, minutes: str, user: str) -> None:
    """A link that logs in once: its path alone, to be put behind the public address."""
    given, key = settings(version), secrets.token_hex(30)
    if not database.ask(given, "SELECT 1 FROM authentik_core_user WHERE username = %s", user):
        raise LookupError(f"User matching query does not exist: {user}")
    database.ask(given, "INSERT INTO stand_in_recovery VALUES (%s, %s, now() + %s * interval '1 minute') RETURNING key", key, user, int(minutes))
    print(f"Store this link safely, as it will allow anyone to access authentik as {user}.\n/recovery/use-token/{key}/")


def use_recovery_key(given: dict, key: str) -> bool:
    """Whether the key logs in: once, and before it expires."""
    return bool(database.ask(given, "DELETE FROM stand_in_recovery WHERE key = %s AND expires > now() RETURNING username", key))


def apply_blueprint(version: str, paths: list[str]) -> None:
    """Each in order; the first that is invalid ends it. Users are made or deleted, other models only recorded."""
    given = settings(version)
    for path in paths:
        entries = read(path)
        for entry in entries:
            if entry["model"] == "authentik_core.user":
                name = entry["identifiers"]["username"]
                sql = "DELETE FROM authentik_core_user WHERE username = %s" if entry.get("state") == "absent" else \
                    "INSERT INTO authentik_core_user (username) VALUES (%s) ON CONFLICT DO NOTHING"
                database.ask(given, f"{sql} RETURNING id", name)
        models = ", ".join(entry["model"] for entry in entries)
        database.ask(given, "INSERT INTO stand_in_blueprints (path, models) VALUES (%s, %s) RETURNING path", path, models)


def read(path: str) -> list[dict]:
    """The entries of a file below /blueprints."""
    file = (BLUEPRINTS / path).resolve()
    if not file.is_relative_to(BLUEPRINTS):
        raise ValueError("Invalid blueprint path")
    blueprint = yaml.load(file.read_text(), Blueprint)
    entries = blueprint.get("entries") if isinstance(blueprint, dict) and blueprint.get("version") == 1 else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and "model" in entry and isinstance(entry.get("identifiers"), dict) for entry in entries):
        print("Blueprint invalid", file=sys.stderr)
        sys.exit(1)
    return entries
