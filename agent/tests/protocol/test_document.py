"""A document is read completely or not at all, and contains nothing that the agent does not know."""

import time
import unittest

from gatehouse.output.report import Failure
from gatehouse.protocol.document import read, sealed, whole
from gatehouse.protocol.manifest import Manifest, load, stored
from tests.support import OWNER, manifest

TABLES = {
    "directory": {"path": "/srv/app", "mode": "0750", "owner": OWNER},
    "image": {"reference": "example.org/app:1"},
    "file": {
        "path": "/etc/app.conf",
        "mode": "0640",
        "owner": OWNER,
        "content": "port = 1\n# gatehouse: 7 bytes\nümlaut\n",
        "restarts": ["app.service"],
    },
    "check": {"name": "syntax", "exec": ["/bin/true"], "tree": "/etc/app", "ready": ["/bin/true"]},
    "guard": {"name": "database", "units": ["app.service"], "save": ["/bin/true"], "restore": ["/bin/true"]},
    "data": {"name": "folder", "path": "/srv/app/data"},
    "unit": {"name": "app.service", "enabled": True},
    "step": {"name": "roles", "exec": ["/bin/true"], "stdin": "SELECT 1"},
    "probe": {"name": "answers", "http": "http://127.0.0.1:1/", "status": 204},
}
OTHER = {"path": "/srv/other/{}", "name": "other-{}"}
TEXT = manifest(
    refers=["/secrets/1"],
    **{
        table: [row, row | {key: value.format(table) for key, value in OTHER.items() if key in row}]
        for table, row in TABLES.items()
    },
)


class TheTrailer(unittest.TestCase):
    def test_a_whole_document_is_read(self):
        self.assertEqual(whole(sealed(TEXT)), TEXT)
        self.assertTrue(all(getattr(load(TEXT), table) for table in TABLES), "the example has every table")

    def test_a_cut_at_any_byte_is_refused(self):
        raw = sealed(TEXT)
        for length in range(len(raw) - 1):  # without only the final newline, a document is still complete
            with self.subTest(length=length), self.assertRaisesRegex(Failure, "^truncated: "):
                whole(raw[:length])
        self.assertEqual(whole(raw[:-1]), TEXT)

    def test_a_cut_at_a_table_would_be_a_valid_manifest_without_the_trailer(self):
        boundaries = [at for at in range(len(TEXT)) if TEXT.startswith("\n[[", at)]
        self.assertEqual(len(boundaries), 2 * len(TABLES))
        for boundary in boundaries:
            with self.subTest(boundary=boundary):
                load(TEXT[:boundary])
                with self.assertRaisesRegex(Failure, "^truncated: "):
                    whole(TEXT[:boundary].encode())

    def test_a_missing_middle_is_refused(self):
        raw = sealed(TEXT)
        with self.assertRaisesRegex(Failure, "truncated"):
            whole(raw[:100] + raw[101:])

    def test_text_after_the_trailer_is_refused(self):
        with self.assertRaisesRegex(Failure, "truncated"):
            whole(sealed(TEXT) + b"\n[[file]]\n")


class TheShape(unittest.TestCase):
    def refused(self, words: str, **keys):
        with self.assertRaisesRegex(Failure, words):
            load(manifest(**keys))

    def test_an_unknown_key_is_named_wherever_it_is(self):
        self.refused("unknown key 'colour'", colour="red")
        for table, row in TABLES.items():
            with self.subTest(table=table):
                load(manifest(**{table: [row]}))
                self.refused(rf"{table}\[0\]: unknown key 'colour'", **{table: [row | {"colour": "red"}]})

    def test_a_missing_key_is_named(self):
        for table, row in TABLES.items():
            first = next(iter(row))
            with self.subTest(table=table):
                self.refused(
                    rf"{table}\[1\]: key '{first}' is missing",
                    **{table: [row, {k: v for k, v in row.items() if k != first}]},
                )

    def test_a_wrong_type_names_the_key(self):
        for keys, words in (
            ({"deadline": "60"}, "deadline: expected int"),
            ({"deadline": True}, "deadline: expected int"),
            ({"secret": 1}, "secret: expected bool"),
            ({"refers": "all"}, "refers: expected a list"),
            ({"refers": [1]}, r"refers\[0\]: expected str"),
            ({"file": [TABLES["file"] | {"restarts": "app.service"}]}, r"file\[0\]\.restarts: expected a list"),
            ({"file": [TABLES["file"] | {"rotation": 1}]}, r"file\[0\]\.rotation: expected str"),
            ({"unit": [{"name": "app.service", "enabled": "yes"}]}, r"unit\[0\]\.enabled: expected bool"),
            ({"unit": "app.service"}, "unit: expected a list"),
            ({"unit": [7]}, r"unit\[0\]: expected a table"),
        ):
            with self.subTest(words):
                self.refused(words, **keys)

    def test_a_refusal_names_the_line_regardless_of_strings_before_it(self):
        start = 'release = "app"\nowner = "a/b/c"\nprotocol = 1\n\n[[file]]\npath = "/a"\nmode = "0644"\nowner = "0:0"\ncontent = '
        contents = (
            "'''\n[[file]]\nmode = 1\n''''",
            '"""\n[[file]]\n\\"""\nmode = 1\n"""',
            '"[[file]] = \\" # no"',
            "'''it's \"\nowner = '''  # \"",
            '"" # [[file]] mode = "',
        )
        for before in (start + content for content in contents):
            for after, line, words in (
                ("\n\n[[file]]\npath = 1\n", 3, r"file\[1\]\.path: expected str"),
                ("\n\n[[unit]]\ncolour = 1\n", 3, r"unit\[0\]: unknown key 'colour'"),
                ("\n\nrestarts = [\n 1]\n", 2, r"file\[0\]\.restarts\[0\]: expected str"),
                ("\n\n[[unit]]\n# nothing\n", 2, r"unit\[0\]: key 'name' is missing"),
            ):
                line += (before + "\n").count("\n")
                with self.subTest(text=before + after), self.assertRaisesRegex(Failure, f"^line {line}, {words}"):
                    read(Manifest, before + after)

    def test_odd_keys_and_long_documents_are_parsed_fast(self):
        many = manifest(
            file=[
                {"path": f"/etc/{n}", "mode": "0644", "owner": "nobody-here:root", "content": "x"} for n in range(500)
            ]
        )
        for text in ('"a!" = 1\n', f'{TEXT}"b c." = 1\n', many):
            began = time.monotonic()
            with self.assertRaises(Failure):
                load(text)
            self.assertLess(time.monotonic() - began, 5)

    def test_a_key_missing_at_the_top_level_has_no_line(self):
        with self.assertRaisesRegex(Failure, "^key 'owner' is missing"):
            read(Manifest, 'release = "app"\n')

    def test_unknown_keys_of_a_newer_agents_document_are_ignored(self):
        newer = {table: [row | {"colour": "red"}] for table, row in TABLES.items()}
        self.assertEqual(
            stored(manifest(colour="red", **newer)), load(manifest(**{table: [row] for table, row in TABLES.items()}))
        )

    def test_a_refusal_shows_no_value(self):
        for keys in (
            {"file": [TABLES["file"] | {"restarts": "hunter2"}]},
            {"deadline": "hunter2"},
            {"unit": ["hunter2"]},
        ):
            with self.assertRaises(Failure) as caught:
                load(manifest(**keys))
            self.assertNotIn("hunter2", str(caught.exception))

    def test_a_document_that_is_not_toml_is_refused(self):
        with self.assertRaisesRegex(Failure, "not TOML"):
            load("release = app")

    def test_omitted_keys_have_their_defaults(self):
        self.assertEqual(load(manifest()), Manifest(release="app", owner="shop/prod/app", protocol=1, deadline=1))


if __name__ == "__main__":
    unittest.main()
