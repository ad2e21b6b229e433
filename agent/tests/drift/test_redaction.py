"""The diff of a manually changed file: shown lines and masked lines."""

import time
import unittest

from gatehouse.drift import facts, redaction
from gatehouse.output import report
from gatehouse.state import store
from tests.support import STATE, HostTest, Path, at, file, secret


class Redaction(unittest.TestCase):
    def setUp(self):
        report._secrets.clear()

    def shown(self, before: str, after: str) -> list[str]:
        return redaction.unified("/etc/x", before, after.encode()).splitlines()[2:]

    def test_an_ordinary_change_is_shown(self):
        self.assertEqual(
            redaction.unified("/etc/x", "a = 1\nb = 2\n", b"a = 1\nb = 3\n"),
            "--- /etc/x\tlast applied\n+++ /etc/x\ton the host\n@@ -1,2 +1,2 @@\n a = 1\n-b = 2\n+b = 3",
        )

    def test_text_that_looks_like_a_secret_is_hidden_in_added_lines(self):
        for line, shown in (
            ("password = hunter2", "password = [hidden]"),
            ('db_passwd: "hunter2 with blanks"', "db_passwd: [hidden]"),
            ("AUTHENTIK_EMAIL__PASSWORD=hunter2", "AUTHENTIK_EMAIL__PASSWORD=[hidden]"),
            ("Environment=API_TOKEN=hunter2", "Environment=API_TOKEN=[hidden]"),
            ('{"apiKey": "hunter2"}', '{"apiKey": [hidden]'),
            ("requirepass hunter2", "requirepass [hidden]"),
            ("AWS_SECRET_ACCESS_KEY=hunter2", "AWS_SECRET_ACCESS_KEY=[hidden]"),
            ("x = " + "Ab1" * 12, "x = [hidden]"),
            ("user a on #" + "0f" * 32, "user a on #[hidden]"),
            ("user a on >hunter2 ~*", "user a on [hidden] ~*"),
            ("X=redis://:hunter2@host/1", "X=redis://[hidden]@host/1"),
            ("X=postgres://me:hunter2@host/db", "X=postgres://[hidden]@host/db"),
            ('header_up Authorization "Basic aHVudGVyMg=="', "header_up Authorization [hidden]"),
            ("SECRET_KEY=/Hunter2", "SECRET_KEY=[hidden]"),
            ("x = /" + "Ab1" * 12, "x = [hidden]"),
            ("encryptionKey=hunter2", "encryptionKey=[hidden]"),
            ("DB_PW=hunter2", "DB_PW=[hidden]"),
            ("<password>hunter2</password>", "<password>[hidden]"),
        ):
            with self.subTest(line):
                self.assertEqual(self.shown("", line + "\n")[1:], ["+" + shown])

    def test_the_location_of_a_secret_is_shown(self):
        for line in (
            "KEY_FILE=/etc/app/a-rather-long-file-name-of-a-key.pem",
            "SECRET_KEY=file:///run/secrets/authentik/secret_key",
            "port = 4711",
            "unix_socket_directories = '/run/postgresql-with-a-long-name-that-goes-on'",
        ):
            with self.subTest(line):
                self.assertEqual(self.shown("", line + "\n")[1:], ["+" + line])

    def test_a_private_key_is_hidden_line_by_line(self):
        body = "MC4CAQAwBQYDK2VwBCIEIDbbUELMr" * 2
        self.assertNotIn(
            body, "\n".join(self.shown("", f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"))
        )

    def test_a_value_below_its_name_is_hidden(self):
        self.assertEqual(
            self.shown("", "password: |\n  hunter2\nport: 1\n")[1:], ["+password: [hidden]", "+[hidden]", "+port: 1"]
        )
        self.assertEqual(self.shown("", "tool --password \\\n  hunter2\n")[2:], ["+[hidden]"])

    def test_no_added_line_of_a_private_file_is_shown(self):
        self.assertEqual(
            redaction.unified("/etc/x", "a\nb\n", b"a\nc\n", private=True).splitlines()[3:], [" a", "-b", "+[hidden]"]
        )

    def test_a_wide_line_is_cut_before_it_is_examined(self):
        began = time.monotonic()
        shown = redaction.unified("/etc/x", "", b"pass" * 1_000_000)
        self.assertLess(len(shown), 700)
        self.assertLess(time.monotonic() - began, 5)

    def test_known_secrets_are_masked_everywhere(self):
        report.learn_secret("correct-horse")
        self.assertEqual(
            self.shown("a correct-horse\nb\n", "a correct-horse\nc correct-horse\n")[1:],
            [" a [secret]", "-b", "+c [secret]"],
        )

    def test_a_long_diff_is_cut(self):
        shown = redaction.unified("/etc/x", "", b"line\n" * 500).splitlines()
        self.assertEqual((len(shown), shown[-1]), (61, "(443 more lines)"))

    def test_content_that_is_not_text_is_not_shown(self):
        self.assertEqual(redaction.unified("/etc/x", "a", b"\xff\xfe"), "no diff is shown: the file is no longer text")


class InFacts(HostTest):
    def reported(self, release: str = "app") -> str:
        return "\n".join(facts.facts(diffs=True)["items"][f"release-{release}"]["drifted"])

    def given(self, **keys) -> None:
        store.settle(f"release-{keys.get('release', 'app')}", "machine/0", self.apply(**keys))

    def test_a_changed_file_has_its_diff_on_request(self):
        self.given(file=[file("etc/app.conf", "port = 1\nhost = a\n")])
        Path(at("etc/app.conf")).write_text("port = 2\nhost = a\n")
        self.assertIn("the content was changed by hand\n---", self.reported())
        self.assertIn("-port = 1\n+port = 2\n host = a", self.reported())
        self.assertNotIn("port", str(facts.facts()))

    def test_a_secret_file_is_reported_without_its_content(self):
        self.given(release="pw", secret=True, file=[secret("pw", "old-horse-old")])
        path = STATE / "secrets/pw/1/password"
        path.chmod(0o600)
        path.write_text("new-horse-new")
        path.chmod(0o400)
        self.assertEqual(self.reported("pw"), f"{path}: the content was changed by hand")

    def test_a_secret_that_was_merged_into_a_file_is_masked_on_both_sides(self):
        self.given(release="pw", secret=True, gives=["app"], file=[secret("pw", "old-horse-old")])
        self.given(
            file=[file("etc/users.acl", "user a on {{secrets pw/password}} ~*\n", secrets=["pw/password"])],
            refers=[f"{STATE}/secrets/pw/1"],
        )
        Path(at("etc/users.acl")).write_text("user a on old-horse-old ~* +@all\n")
        self.assertIn("-user a on [secret] ~*\n+user a on [secret] ~* +@all", self.reported())
        self.assertNotIn("horse", self.reported())

    def test_only_removed_lines_of_a_private_file_are_shown(self):
        self.given(file=[file("etc/app.conf", "port = 1\n", "0600")])
        Path(at("etc/app.conf")).write_text("port = 2\n")
        self.assertIn("-port = 1\n+[hidden]", self.reported())

    def test_an_unreadable_release_does_not_hide_the_others(self):
        self.given(release="pw", secret=True, gives=["app"], file=[secret("pw", "old-horse-old")])
        self.given(
            file=[file("etc/app.conf", "x {{secrets pw/password}}\n", secrets=["pw/password"])],
            refers=[f"{STATE}/secrets/pw/1"],
        )
        Path(at("etc/app.conf")).write_text("y")
        path = STATE / "secrets/pw/1/password"
        path.chmod(0o600)
        path.write_bytes(b"\xff\xfe")
        self.assertEqual(self.reported(), "release app cannot be inspected: UnicodeDecodeError")
        self.assertIn("the content was changed by hand", self.reported("pw"))

    def test_a_mode_is_reported_in_numbers(self):
        self.given(file=[file("etc/app.conf", "port = 1\n")])
        Path(at("etc/app.conf")).chmod(0o600)
        self.assertRegex(self.reported(), r"mode or owner was changed by hand: 0600 \d+:\d+ instead of 0644 \d+:\d+$")


if __name__ == "__main__":
    unittest.main()
