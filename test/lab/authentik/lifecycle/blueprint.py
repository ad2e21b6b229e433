"""`ak apply_blueprint`: its output, and its effects on the database."""
import os
import sys
from pathlib import Path

import yaml

import config
import database

BLUEPRINTS = Path("/blueprints")


class Blueprint(yaml.SafeLoader):
    """YAML with authentik's own tags, such as !KeyOf and !Find, which are not resolved here."""


Blueprint.add_multi_constructor("!", lambda loader, tag, node: f"!{tag}")


def apply_blueprint(version: str, paths: list[str]) -> None:
    """Applies the blueprints in order, until one is invalid. Users are created or deleted, other models are only
    recorded."""
    given = config.load(dict(os.environ), version)[0]
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
