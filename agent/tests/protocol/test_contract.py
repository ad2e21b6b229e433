"""The protocol between program and agent is defined in protocol/; these tests compare the agent's dataclasses with
it."""

import json
import subprocess
import unittest
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints, is_typeddict
from unittest import mock

from gatehouse.items.accounts import Account, Group
from gatehouse.items.keys import Key
from gatehouse.items.packages import Packages
from gatehouse.output.report import MEANINGS, Failure
from gatehouse.protocol import document, manifest
from gatehouse.protocol.answers import (
    AccountAnswer,
    Facts,
    FailureReport,
    GroupAnswer,
    KeyAnswer,
    PackagesAnswer,
    ReleaseAnswer,
)
from gatehouse.protocol.difference import Difference

REPOSITORY = Path(__file__).resolve().parents[3]
SCALARS = {str: "string", int: "integer", bool: "boolean"}
ANSWERS = {
    "group": GroupAnswer,
    "account": AccountAnswer,
    "packages": PackagesAnswer,
    "key": KeyAnswer,
    "release": ReleaseAnswer,
    "facts": Facts,
    "failure": FailureReport,
}


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REPOSITORY / f"protocol/{name}.schema.json").read_text())
    return found


def shapes() -> dict[str, tuple[type, dict[str, Any]]]:
    """The agent's dataclass for each document, with its schema."""
    items = schema("items")
    return {
        "manifest": (manifest.Manifest, schema("manifest")),
        "group": (Group, items["group"]),
        "account": (Account, items["account"]),
        "packages": (Packages, items["packages"]),
        "key": (Key, items["key"]),
    }


def keys(table: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The keys of a table, including those of each variant: the agent has one dataclass for all variants, and checks by
    itself which keys may be combined. A key is required only if every variant requires it."""
    forms = table.get("anyOf", [table])
    found: dict[str, dict[str, Any]] = {}
    for form in forms:
        for key, value in form["properties"].items():
            needed = all(key in other.get("required", []) for other in forms)
            found[key] = value | {"needed": needed}
    return found


def closed(table: dict[str, Any]) -> bool:
    return all(form.get("additionalProperties") is False for form in table.get("anyOf", [table]))


def differences(at: str, shape: type, table: dict[str, Any]) -> list[str]:
    """The differences between a dataclass and a table of the schema, one sentence each."""
    wanted, found = keys(table), {field.name: field for field in fields(shape)}  # type: ignore[arg-type]
    hints = get_type_hints(shape)
    faults = [f"{at}.{key}: the agent does not know it" for key in wanted.keys() - found.keys()]
    faults += [f"{at}.{key}: only the agent knows it" for key in found.keys() - wanted.keys()]
    faults += [] if closed(table) else [f"{at}: the schema allows keys that the agent refuses"]
    for key in sorted(wanted.keys() & found.keys()):
        faults += of_type(f"{at}.{key}", hints[key], wanted[key])
        default, is_list = found[key].default, wanted[key].get("type") == "array"
        # An empty list and a missing one are the same to the agent.
        expected = wanted[key].get("default", [] if is_list else None)
        if wanted[key]["needed"] != (default is MISSING):
            faults.append(f"{at}.{key}: is required on one side alone")
        elif default is not MISSING and (list(default) if is_list else default) != expected:
            faults.append(f"{at}.{key}: without it the agent takes {default!r}, the schema {expected!r}")
    return faults


def of_type(at: str, kind: Any, node: dict[str, Any]) -> list[str]:
    if isinstance(kind, UnionType):
        kind = get_args(kind)[0]
    if get_origin(kind) is tuple:
        if node.get("type") != "array":
            return [f"{at}: the agent expects a list"]
        return of_type(f"{at}[]", get_args(kind)[0], node["items"])
    if is_dataclass(kind) and isinstance(kind, type):
        return differences(at, kind, node)
    given = node.get("type")
    return [] if given == SCALARS[kind] else [f"{at}: the agent expects {kind.__name__}, the schema says {given}"]


def answer_faults(at: str, kind: Any, node: dict[str, Any]) -> list[str]:
    """The differences between an answer type of the agent and the schema that the program reads, one sentence each."""
    if is_typeddict(kind) or is_dataclass(kind):
        wanted = node.get("properties", {})
        hints = get_type_hints(kind)
        always = kind.__required_keys__ if is_typeddict(kind) else {field.name for field in fields(kind)}
        faults = [f"{at}.{key}: only the agent knows it" for key in hints.keys() - wanted.keys()]
        faults += [f"{at}.{key}: the agent does not answer it" for key in wanted.keys() - hints.keys()]
        faults += [f"{at}.{key}: the agent may leave it out" for key in set(node.get("required", ())) - always]
        return faults + [
            sentence
            for key in sorted(hints.keys() & wanted.keys())
            for sentence in answer_faults(f"{at}.{key}", hints[key], wanted[key])
        ]
    origin, inner = get_origin(kind), get_args(kind)
    if kind == list[dict[str, object]]:  # as returned by Difference.json()
        return answer_faults(f"{at}[]", Difference, node["items"])
    if origin is list:
        return (
            answer_faults(f"{at}[]", inner[0], node["items"])
            if node.get("type") == "array"
            else [f"{at}: the agent answers a list"]
        )
    if origin in (dict, Mapping):
        return answer_faults(f"{at}.NAME", inner[1], node["additionalProperties"])
    if origin is Literal:
        choices = node.get("enum", inner)
        return (
            [] if sorted(choices) == sorted(inner) else [f"{at}: the agent answers one of {', '.join(sorted(inner))}"]
        )
    # JSON has only one number type.
    given = "integer" if node.get("type") == "number" else node.get("type")
    return [] if given == SCALARS[kind] else [f"{at}: the agent answers {kind.__name__}, the schema says {given}"]


class Shapes(unittest.TestCase):
    def test_each_dataclass_has_the_keys_types_and_defaults_of_the_schema(self):
        for name, (shape, table) in shapes().items():
            with self.subTest(name):
                self.assertEqual(differences(name, shape, table), [])

    def test_a_key_type_or_default_on_only_one_side_is_found(self):
        table = schema("items")["group"]
        known = table["properties"]

        def faults(**change: Any) -> list[str]:
            return differences("group", Group, table | change)

        self.assertEqual(
            faults(properties=known | {"sandbox": {"type": "string"}}), ["group.sandbox: the agent does not know it"]
        )
        self.assertEqual(
            faults(properties={"name": known["name"], "gid": known["gid"]}), ["group.takes: only the agent knows it"]
        )
        self.assertEqual(
            faults(properties=known | {"gid": {"type": "string"}}),
            ["group.gid: the agent expects int, the schema says string"],
        )
        self.assertEqual(faults(required=["name", "gid"]), ["group.gid: is required on one side alone"])
        self.assertEqual(
            faults(properties=known | {"gid": {"type": "integer", "default": 7}}),
            ["group.gid: without it the agent takes None, the schema 7"],
        )
        self.assertEqual(faults(additionalProperties=True), ["group: the schema allows keys that the agent refuses"])

    def test_each_shape_is_closed(self):
        for name, (shape, _) in shapes().items():
            with self.subTest(name), self.assertRaisesRegex(Failure, "unknown key 'sandbox'"):
                document.read(shape, "sandbox = 1\n")


class Documents(unittest.TestCase):
    def test_the_agent_accepts_every_golden_manifest(self):
        printed = subprocess.run(
            ["test/engine/with", "node", "test/render/documents.ts"],
            cwd=REPOSITORY,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        documents = json.loads(printed)
        self.assertGreater(len(documents), 100)
        # The accounts exist only on a host with the packages.
        with mock.patch.object(manifest, "owner_ids", return_value=(0, 0)):
            for name, text in documents:
                with self.subTest(name):
                    manifest.load(document.whole(text.encode()))


class Answers(unittest.TestCase):
    def test_each_answer_has_the_keys_and_types_that_the_program_reads(self):
        known = schema("answers")
        self.assertEqual(known.keys(), ANSWERS.keys())
        for name, shape in ANSWERS.items():
            with self.subTest(name):
                self.assertEqual(answer_faults(name, shape, known[name]), [])

    def test_each_exit_status_has_the_meaning_that_the_program_reads(self):
        meaning = schema("answers")["failure"]["properties"]["meaning"]
        self.assertEqual({word: code for code, word in MEANINGS.items()}, meaning["codes"])

    def test_a_key_type_or_choice_on_only_one_side_is_found(self):
        known = schema("answers")["facts"]
        item = known["properties"]["items"]["additionalProperties"]
        difference = item["properties"]["differences"]["items"]
        kinds = difference["properties"]["kind"]["enum"]
        with mock.patch.dict(difference["properties"], {"kind": {"enum": kinds[1:]}}):
            self.assertEqual(
                [sentence.partition(":")[0] for sentence in answer_faults("facts", Facts, known)],
                ["facts.items.NAME.differences[].kind"],
            )
        with mock.patch.dict(item["properties"], {"due": {"type": "integer"}}):
            self.assertEqual(
                answer_faults("facts", Facts, known),
                ["facts.items.NAME.due: the agent answers str, the schema says integer"],
            )
        with mock.patch.dict(item, {"required": ["due", "busy"]}):
            self.assertEqual(
                answer_faults("facts", Facts, known), ["facts.items.NAME.busy: the agent may leave it out"]
            )
        with mock.patch.dict(known["properties"], {"load": {"type": "integer"}}):
            self.assertEqual(answer_faults("facts", Facts, known), ["facts.load: the agent does not answer it"])
        del known["properties"]["warnings"]
        self.assertEqual(answer_faults("facts", Facts, known), ["facts.warnings: only the agent knows it"])


if __name__ == "__main__":
    unittest.main()
