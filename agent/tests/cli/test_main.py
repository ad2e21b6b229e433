"""Calls of the agent: a document on stdin, one line of JSON or an error, and an exit status."""

import hashlib
import json
import os
import subprocess
import sys
import unittest

from gatehouse.drift import facts
from gatehouse.protocol.document import sealed
from gatehouse.state import store
from tests import AGENT, PLAIN, support
from tests.support import STATE, HostTest, file, live, manifest, secret, shell


def failure(**more: object) -> dict:
    """The line on stdout of a failed apply of the release app."""
    return {"failure": {"verb": "apply", "item": {"kind": "release", "name": "app"}, **more}}


class Main(HostTest):
    def call(self, *argv: str, stdin: bytes = b"") -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, *PLAIN, str(AGENT), *argv],
            input=stdin,
            capture_output=True,
            env=os.environ | {"GATEHOUSE_STATE": str(STATE), "GATEHOUSE_UNIT": "1"},
        )

    def release(self, stdin: bytes) -> subprocess.CompletedProcess:
        return self.call("release", "app", "--due", "machine/3", stdin=stdin)

    def test_a_release_is_applied_and_recorded_with_its_due_number(self):
        done = self.release(sealed(manifest(file=[file("etc/app.conf", "x")])))
        self.assertEqual(
            (done.returncode, json.loads(done.stdout)["generation"], live("etc/app.conf")), (0, 1, "x"), done.stderr
        )
        self.assertEqual(store.items()["release-app"].due, "machine/3")
        self.assertEqual(
            facts.facts()["items"]["release-app"]["document"],
            hashlib.sha256(sealed(manifest(file=[file("etc/app.conf", "x")]))).hexdigest(),
        )
        self.assertIn(b"added: ", done.stderr)

    def test_a_truncated_document_changes_nothing(self):
        done = self.release(sealed(manifest(file=[file("etc/app.conf", "x")]))[:-5])
        self.assertEqual((done.returncode, support.tree(), store.items()), (1, {}, {}))
        self.assertIn(b"gatehouse: truncated", done.stderr)
        self.assertEqual(json.loads(done.stdout), failure(code=1, meaning="refused"))

    def test_a_failure_has_its_exit_status_and_is_not_recorded(self):
        done = self.release(sealed(manifest(step=[shell("no", "exit 1")])))
        self.assertEqual((done.returncode, store.items()), (5, {}))
        at = {"kind": "step", "name": "no"}
        self.assertEqual(json.loads(done.stdout), failure(code=5, meaning="removed again", at=at))

    def test_a_failure_as_data_tells_no_secret_and_nothing_that_acts_on_a_terminal(self):
        done = self.release(
            sealed(
                manifest(
                    secret=True,
                    file=[secret("pw", "correct-horse-battery")],
                    step=[shell("set correct-horse-battery \u202e now", "exit 1")],
                )
            )
        )
        self.assertEqual(
            json.loads(done.stdout)["failure"]["at"], {"kind": "step", "name": "set [secret] \\u202e now"}, done.stderr
        )

    def test_a_failed_removal_says_that_it_is_one(self):
        self.release(sealed(manifest(file=[file("etc/app.conf", "1")])))
        (STATE / "releases/app/1/manifest.toml").write_text("release = 7\n")
        done = self.call("remove", "app", "--owner", "shop/prod/app")
        failure = json.loads(done.stdout)["failure"]
        self.assertEqual((failure["verb"], failure["code"]), ("remove", done.returncode), done.stderr)

    def test_an_operator_gets_the_document_and_no_data(self):
        once = STATE / "once"
        step = shell("no", f"test -e {once} && rm {once}")
        for text in "12":
            once.touch()
            self.release(sealed(manifest(file=[file("etc/app.conf", text)], step=[step])))
        done = self.call("rollback", "app")
        self.assertEqual((done.returncode, done.stdout, live("etc/app.conf")), (3, b"", "2"), done.stderr)
        self.assertTrue(
            done.stderr.endswith(b"what to do at exit status 3: docs/manifest.md#exit-codes\n"), done.stderr
        )

    def test_an_internal_error_is_not_a_refusal(self):
        (STATE / "releases/app/current").mkdir(parents=True)
        done = self.release(sealed(manifest(file=[file("etc/app.conf", "x")])))
        self.assertEqual((done.returncode, json.loads(done.stdout)["failure"]["meaning"]), (70, "internal error"))
        self.assertIn(b"IsADirectoryError", done.stderr)

    def test_a_document_with_another_name_is_refused(self):
        done = self.release(sealed(manifest(release="other", file=[file("etc/app.conf", "x")])))
        self.assertEqual((done.returncode, support.tree(), store.items()), (1, {}, {}))
        self.assertIn(b"called for release app, but the document is for 'other'", done.stderr)
        done = self.call("group", "a", "--due", "machine/0", stdin=sealed('name = "b"\n'))
        self.assertIn(b"called for group a, but the document is for 'b'", done.stderr)

    def test_a_removal_deletes_the_due_number(self):
        self.test_a_release_is_applied_and_recorded_with_its_due_number()
        done = self.call("remove", "app", "--owner", "shop/prod/app")
        self.assertEqual(
            (json.loads(done.stdout)["removed"], store.items(), support.tree()), (True, {}, {}), done.stderr
        )

    def test_an_unknown_verb_does_nothing(self):
        done = self.call("destroy", "app")
        self.assertEqual((done.returncode, done.stdout), (2, b""))


if __name__ == "__main__":
    unittest.main()
