"""Removing a release stops its units, removes its files and restores the originals; data and secrets stay."""

import os
import unittest

from gatehouse.release import remove as removal
from gatehouse.tree import files, originals
from tests import support
from tests.support import OWNER, STATE, HostTest, at, file, live, secret, tree


class Removal(HostTest):
    def remove(self, name: str = "app") -> dict:
        self.systemd.log.clear()
        return removal.remove(name, f"shop/prod/{name}")

    def test_units_are_stopped_and_disabled_and_files_removed(self):
        self.apply(
            file=[file("etc/app.conf", "x", restarts=["app.service"])],
            unit=[{"name": "app.service", "enabled": True}, {"name": "made.service"}],
        )
        self.assertEqual(self.remove(), {"release": "app", "removed": True})
        self.assertEqual((tree(), self.systemd.active, self.systemd.enabled), ({}, set(), set()))
        self.assertEqual(
            self.systemd.log,
            ["stop app.service", "stop made.service", "reset-failed app.service made.service", "disable app.service"],
        )
        self.assertFalse((STATE / "releases/app").exists())

    def test_other_releases_are_not_changed(self):
        self.apply(release="other", file=[file("etc/other", "x")], unit=[{"name": "other.service", "enabled": True}])
        before = self.standing()
        self.apply(file=[file("etc/app.conf", "x")], unit=[{"name": "app.service"}])
        self.remove()
        self.assertEqual(self.standing(), before)

    def test_the_original_is_restored_with_mode_and_owner(self):
        os.makedirs(at("etc"))
        files.put(at("etc/app.conf"), files.Content(b"theirs", 0o604, 12, 34))
        os.symlink("app.conf", at("etc/link"))
        before = tree()
        self.apply(file=[file("etc/app.conf", "ours"), file("etc/link", "ours")])
        self.apply(file=[file("etc/app.conf", "ours, again"), file("etc/link", "ours")])
        self.assertEqual((live("etc/app.conf"), live("etc/link")), ("ours, again", "ours"))
        self.remove()
        self.assertEqual(tree(), before)
        self.assertEqual([p for p in (STATE / "originals").rglob("*") if p.is_file()], [])

    def test_the_original_of_a_file_dropped_earlier_is_restored_too(self):
        os.makedirs(at("etc"))
        files.put(at("etc/app.conf"), files.Content(b"theirs", 0o604, 12, 34))
        before = tree()
        self.apply(file=[file("etc/app.conf", "ours")])
        self.apply(file=[])
        self.assertEqual(tree(), before)
        self.assertIsNone(originals.original(at("etc/app.conf")))
        self.remove()
        self.assertEqual(tree(), before)

    def test_folders_created_for_files_are_removed_with_the_last_file(self):
        os.makedirs(at("etc/theirs"))
        shared = "etc/systemd/system/x.service.d"
        self.apply(
            file=[
                file(f"{shared}/app.conf", "x"),
                file("etc/theirs/app.conf", "x"),
                file("etc/app/deep/er/app.conf", "x"),
            ]
        )
        self.apply(release="other", file=[file(f"{shared}/other.conf", "x")])
        self.remove()
        self.assertEqual(
            (os.path.isdir(at("etc/theirs")), os.path.isdir(at("etc/app")), os.listdir(at(shared))),
            (True, False, ["other.conf"]),
        )
        self.remove("other")
        self.assertEqual(os.listdir(at("etc")), ["theirs"])

    def test_a_folder_that_the_manifest_declares_now_stays(self):
        self.apply(file=[file("etc/app/app.conf", "x")])
        self.apply(
            file=[file("etc/app/app.conf", "x")], directory=[{"path": at("etc/app"), "mode": "0750", "owner": OWNER}]
        )
        self.remove()
        self.assertTrue(os.path.isdir(at("etc/app")))

    def test_a_unit_that_an_earlier_generation_enabled_is_disabled(self):
        for dropped in (self.remove, lambda: self.apply(unit=[])):
            self.apply(unit=[{"name": "app.service", "enabled": True}])
            self.apply(unit=[{"name": "app.service"}])
            self.apply(unit=[{"name": "app.service"}], file=[file("etc/app.conf", "x")])
            self.assertEqual(self.systemd.enabled, {"app.service"})
            dropped()
            self.assertEqual(self.systemd.enabled, set())

    def test_a_unit_enabled_by_others_stays_enabled(self):
        self.systemd.enabled = {"app.service"}
        self.apply(unit=[{"name": "app.service"}])
        self.apply(unit=[])
        self.assertEqual(self.systemd.enabled, {"app.service"})

    def test_data_stays(self):
        self.apply(
            directory=[{"path": at("srv/app"), "mode": "0750", "owner": OWNER}], file=[file("etc/app.conf", "x")]
        )
        files.put(at("srv/app/data"), files.Content(b"data", 0o600, 0, 0))
        self.remove()
        self.assertEqual(list(tree()), ["srv/app/data"])

    def test_secrets_stay_and_are_adopted_when_the_release_comes_back(self):
        self.apply(release="pw", secret=True, file=[secret("pw", "secret-one")])
        answer = self.remove("pw")
        self.assertEqual((answer["removed"], "secrets are data" in answer["why"]), (False, True))
        self.assertEqual((STATE / "secrets/pw/1/password").read_text(), "secret-one")
        self.assertEqual(self.apply(release="pw", secret=True, file=[secret("pw", "secret-new")])["generation"], 1)
        self.assertEqual((STATE / "secrets/pw/1/password").read_text(), "secret-one")

    def test_running_dependents_of_the_files_are_reloaded(self):
        self.systemd.active = {"proxy.service", "cache.service"}
        self.apply(file=[file("etc/site", "x", reloads=["proxy.service"], restarts=["cache.service"])])
        self.remove()
        self.assertEqual(self.systemd.log, ["restart cache.service", "reload proxy.service"])
        self.apply(file=[file("etc/site", "x", reloads=["proxy.service"], restarts=["cache.service"])])
        self.systemd.active.clear()
        self.remove()
        self.assertEqual(self.systemd.log, [])

    def test_systemd_reloads_its_units_when_a_unit_file_is_removed(self):
        self.apply(file=[file("etc/systemd/system/app.service", "[Unit]")])
        self.remove()
        self.assertIn("daemon-reload", self.systemd.log)

    def test_removing_twice_is_no_error(self):
        self.apply(file=[file("etc/app.conf", "x")])
        self.remove()
        self.assertEqual(self.remove(), {"release": "app", "removed": False, "why": "it is not on this host"})

    def test_leftovers_of_a_refused_first_apply_are_removed_too(self):
        self.refused(
            1,
            "check no refuses",
            file=[file("etc/app/a", "x")],
            check=[support.shell("no", "exit 1", tree=at("etc/app"))],
        )
        self.remove()
        self.assertEqual(list((STATE / "releases").iterdir()), [])


if __name__ == "__main__":
    unittest.main()
