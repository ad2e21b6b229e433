"""Facts, which the program queries before a preview: the due number changes only while the host has drifted."""

import os
import unittest
from pathlib import Path

from gatehouse.drift import facts
from gatehouse.items import accounts, packages
from gatehouse.state import store
from gatehouse.tree import files
from tests import support
from tests.support import HostTest, at, file


def without_document(item: dict) -> dict:
    return {key: value for key, value in item.items() if key not in ("document", "claims")}


def found(kind: str, name: str, what: str, message: str, now: dict | None = None) -> dict:
    return {"kind": kind, "name": name, "what": what, "message": message, "diff": "", "now": now or {}}


class Releases(HostTest):
    def setUp(self):
        super().setUp()
        self.keys = dict(
            file=[file("etc/app.conf", "port = 1\n", "0640"), file("etc/app.key", "key")],
            unit=[{"name": "app.service", "enabled": True}],
        )
        store.settle("release-app", "machine/0", self.apply(**self.keys))

    def item(self) -> dict:
        return without_document(facts.facts()["items"]["release-app"])

    def drifted(self, *words: str):
        item = self.item()
        self.assertEqual(item["due"], "machine/1")
        self.assertEqual(len(item["drifted"]), 1, item)
        for word in words:
            self.assertIn(word, item["drifted"][0])

    def test_a_host_in_sync_keeps_its_due_number(self):
        self.assertEqual(self.item(), {"due": "machine/0", "drifted": [], "differences": []})
        self.assertEqual(self.item(), {"due": "machine/0", "drifted": [], "differences": []})

    def test_facts_change_nothing(self):
        def memory():
            return {p: p.stat().st_mtime_ns for p in support.STATE.rglob("*")}, support.identities()

        before = memory()
        self.systemd.log.clear()
        facts.facts()
        self.assertEqual((memory(), self.systemd.log), (before, []))

    def test_changed_content_is_reported_without_the_content(self):
        support.Path(at("etc/app.conf")).write_text("port = 4711\n")
        self.drifted(at("etc/app.conf"), "the content was changed by hand")
        self.assertNotIn("4711", str(self.item()))
        self.assertNotIn("port", str(self.item()))

    def test_a_changed_mode_is_reported(self):
        os.chmod(at("etc/app.conf"), 0o666)
        self.drifted(at("etc/app.conf"), "mode or owner was changed by hand")

    def test_a_changed_owner_is_reported(self):
        os.chown(at("etc/app.conf"), 12, 34)
        self.drifted(at("etc/app.conf"), support.OWNER)

    def test_a_missing_file_is_reported(self):
        os.unlink(at("etc/app.key"))
        self.drifted(f"{at('etc/app.key')} is missing")

    def test_a_link_in_place_of_a_file_is_reported(self):
        os.rename(at("etc/app.key"), at("etc/moved"))
        os.symlink("moved", at("etc/app.key"))
        self.drifted(at("etc/app.key"))

    def test_a_stopped_unit_is_reported(self):
        self.systemd.active.clear()
        self.drifted("app.service is not active")

    def test_a_disabled_unit_is_reported(self):
        self.systemd.enabled.clear()
        self.drifted("app.service is not enabled")

    def test_an_interrupted_apply_is_reported(self):
        store.Release("app").record.write_text('{"text": ""}')
        self.drifted("an apply of release app was interrupted")

    def test_an_apply_in_progress_is_reported_and_is_not_drift(self):
        support.Path(at("etc/app.conf")).write_text("half way")
        store.Release("app").record.write_text('{"text": ""}')
        with store.lock("release-app", "apply of release app"):
            self.assertEqual(
                self.item(), {"due": "machine/0", "drifted": [], "differences": [], "busy": "apply of release app"}
            )
        self.assertEqual(self.item()["due"], "machine/1")

    def test_a_concurrent_reader_is_not_an_apply(self):
        with store.glance("release-app"):
            self.assertEqual(self.item()["drifted"], [])

    def test_a_changed_directory_is_reported_and_corrected(self):
        self.keys["directory"] = [{"path": at("srv/app"), "mode": "0750", "owner": support.OWNER}]
        store.settle("release-app", "machine/0", self.apply(**self.keys))
        self.assertEqual(self.item()["drifted"], [])
        for damage, words in (
            (lambda: os.chmod(at("srv/app"), 0o777), f"{at('srv/app')}: mode or owner was changed by hand"),
            (lambda: os.chown(at("srv/app"), 12, 34), f"{at('srv/app')} does not belong to {support.OWNER}"),
            (lambda: os.rmdir(at("srv/app")), f"{at('srv/app')} is missing"),
        ):
            damage()
            self.drifted(words)
            self.assertEqual(self.apply(**self.keys)["changed"], [at("srv/app")])
            self.assertEqual(self.item()["drifted"], [])

    def test_a_directory_in_place_of_a_file_is_reported(self):
        os.unlink(at("etc/app.key"))
        os.mkdir(at("etc/app.key"))
        self.drifted(f"{at('etc/app.key')} is no longer a file")

    def test_a_file_whose_group_was_recreated_with_another_gid_is_reported(self):
        for gid in (12, None):

            def ids(owner, gid=gid):
                if gid is None:
                    raise support.report.Failure("no such group")
                return os.getuid(), gid

            with self.subTest(gid=gid), support.mock.patch.object(facts, "owner_ids", ids):
                self.assertEqual(self.item()["due"], "machine/1")

    def test_a_repaired_host_has_the_due_number_of_the_repair(self):
        os.unlink(at("etc/app.conf"))
        due = self.item()["due"]
        store.settle("release-app", due, self.apply(**self.keys))
        self.assertEqual(self.item(), {"due": "machine/1", "drifted": [], "differences": []})

    def test_a_release_applied_without_a_due_number_gets_the_first_one_of_the_machine(self):
        store.settle("release-app", "never-asked", {})
        self.assertEqual(self.item()["due"], "never-asked")
        os.unlink(at("etc/app.conf"))
        self.assertEqual(self.item()["due"], "machine/0")

    def test_a_kept_secret_is_not_drift(self):
        keys = dict(release="pw", secret=True, file=[support.secret("pw", "secret-one")])
        self.apply(**keys)
        store.settle("release-pw", "machine/0", self.apply(**keys | {"file": [support.secret("pw", "secret-new")]}))
        self.assertEqual(
            without_document(facts.facts()["items"]["release-pw"]),
            {"due": "machine/0", "drifted": [], "differences": []},
        )
        files.put(f"{support.STATE}/secrets/pw/1/password", files.Content(b"secret-hand", 0o400, 0, 0))
        item = facts.facts()["items"]["release-pw"]
        self.assertEqual((item["due"], "secret-" in str(item)), ("machine/1", False))

    def test_the_number_of_systemd_queries_does_not_depend_on_the_number_of_releases(self):
        def questions() -> int:
            with support.mock.patch.object(self.systemd, "systemctl", side_effect=self.systemd.systemctl) as asked:
                facts.facts()
            return asked.call_count

        def given(name: str) -> None:
            unit = f"{name}.service"
            keys = dict(
                release=name,
                deadline=9,
                unit=[{"name": unit, "enabled": True}],
                probe=[{"name": "keeps running", "unit": unit, "seconds": 1}],
            )
            store.settle(f"release-{name}", "machine/0", self.apply(**keys))

        given("first")
        before = questions()
        for name in ("second", "third"):
            given(name)
        self.assertEqual(questions(), before)

    def test_if_systemd_does_not_answer_facts_fail_instead_of_reporting_drift(self):
        missing = support.mock.patch.object(self.systemd, "systemctl", side_effect=FileNotFoundError("systemctl"))
        with missing, self.assertRaisesRegex(FileNotFoundError, "systemctl"):
            facts.facts()

    def test_a_difference_that_has_disappeared_is_not_drift(self):
        stale = {"app.service": {"is-active": "inactive", "is-enabled": "disabled"}}
        with support.mock.patch.object(support.systemd, "survey", lambda *_: lambda: stale):
            self.assertEqual(self.item(), {"due": "machine/0", "drifted": [], "differences": []})

    def test_each_difference_names_its_kind_beside_the_message(self):
        os.remove(at("etc/app.conf"))
        Path(at("etc/app.key")).write_text("other")
        self.systemd.enabled.clear()
        self.systemd.active.clear()
        self.assertEqual(
            [(one["kind"], one["name"], one["what"]) for one in self.item()["differences"]],
            [
                ("file", at("etc/app.conf"), "missing"),
                ("file", at("etc/app.key"), "content"),
                ("unit", "app.service", "inactive"),
                ("unit", "app.service", "disabled"),
            ],
        )


class OtherItems(HostTest):
    def item(self, name: str, answer: dict, look, now) -> dict:
        store.settle(name, "machine/4", answer)
        with support.mock.patch.object(*look, lambda *_: now):
            return without_document(facts.facts()["items"][name])

    def test_a_group_with_another_gid_or_none_is_due(self):
        left, look = {"name": "clients", "gid": 990}, (accounts, "look_group")
        self.assertEqual(
            self.item("group-clients", left, look, left), {"due": "machine/4", "drifted": [], "differences": []}
        )
        self.assertEqual(
            self.item("group-clients", left, look, left | {"gid": 991}),
            {
                "due": "machine/5",
                "drifted": [message := "group clients has gid=991 instead of gid=990"],
                "differences": [found("group", "clients", "changed", message, {"gid": 991})],
            },
        )
        self.assertEqual(
            self.item("group-clients", left, look, None),
            {
                "due": "machine/5",
                "drifted": [message := "group clients is missing; it had gid=990"],
                "differences": [found("group", "clients", "missing", message)],
            },
        )

    def test_an_account_removed_from_a_group_is_due(self):
        left, look = {"name": "app", "uid": 1, "gid": 1, "groups": ["clients"]}, (accounts, "look_account")
        self.assertEqual(self.item("account-app", left, look, left)["due"], "machine/4")
        self.assertEqual(self.item("account-app", left, look, left | {"groups": []})["due"], "machine/5")

    def test_a_missing_package_is_due_and_an_updated_one_is_not(self):
        left, look = {"versions": {"a": "1", "b": "1"}}, (packages, "versions")
        self.assertEqual(
            self.item("packages-app", left, look, {"a": "2", "b": "1"}),
            {"due": "machine/4", "drifted": [], "differences": []},
        )
        self.assertEqual(
            self.item("packages-app", left, look, {"a": "1"}),
            {
                "due": "machine/5",
                "drifted": [message := "package b is not installed"],
                "differences": [found("package", "b", "missing", message)],
            },
        )


if __name__ == "__main__":
    unittest.main()
