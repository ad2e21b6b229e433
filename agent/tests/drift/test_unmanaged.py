"""Unmanaged drop-ins of the units of a release: an apply removes them, keeps a copy, and can be rolled back."""

import unittest
from pathlib import Path

from gatehouse.drift import facts, unmanaged
from gatehouse.output.report import ROLLED_BACK
from gatehouse.release import remove
from gatehouse.state import store
from tests import support
from tests.support import STATE, HostTest, at, file, live, shell


class DropIns(HostTest):
    def setUp(self):
        super().setUp()
        self.patch(support.apply.checks, "run", lambda *_: None)
        self.patch(support.apply.checks, "units", lambda *_: None)
        self.keys = dict(
            file=[
                file("etc/containers/systemd/web.container", "[Container]\n", restarts=["web.service"]),
                file("etc/app.conf", "x"),
            ],
            unit=[{"name": "app.service"}, {"name": "base@main.service"}, {"name": "web.service"}],
        )
        self.apply(**self.keys)
        self.systemd.log.clear()

    def add_dropin(self, path: str, text: str = "[Service]\nMemoryMax=1G\n") -> Path:
        there = Path(at(path))
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text(text)
        return there

    def test_a_drop_in_of_a_unit_is_removed_and_the_unit_restarted(self):
        for path, unit in (
            ("etc/systemd/system/app.service.d/override.conf", "app.service"),
            ("run/systemd/system/app.service.d/50-runtime.conf", "app.service"),
            ("etc/systemd/system/base@main.service.d/o.conf", "base@main.service"),
            ("etc/containers/systemd/web.container.d/10.conf", "web.service"),
        ):
            with self.subTest(path):
                self.systemd.log.clear()
                there = self.add_dropin(path)
                done = self.apply(**self.keys)
                self.assertEqual((done["changed"], done["units"]), ([str(there)], {unit: "restart"}))
                self.assertFalse(there.exists())
                kept = STATE / f"aside/app/{done['generation']}{there}"
                self.assertEqual((kept.read_text(), kept.stat().st_mode & 0o777), ("[Service]\nMemoryMax=1G\n", 0o644))
                self.assertTrue(any(f"it belongs to no release and is kept as {kept}" in line for line in self.output))
                self.assertIn(f"restart {unit}", self.systemd.log)
                self.assertEqual(self.apply(**self.keys)["changed"], [])

    def test_systemd_reloads_its_units(self):
        self.add_dropin("etc/systemd/system/app.service.d/override.conf")
        self.apply(**self.keys)
        self.assertEqual(self.systemd.log.count("daemon-reload"), 1)

    def test_only_root_can_read_the_copies(self):
        self.assertEqual((STATE / "aside").stat().st_mode & 0o777, 0o700)

    def test_a_drop_in_of_another_release_stays(self):
        there = "etc/systemd/system/app.service.d/theirs.conf"
        self.apply(release="theirs", file=[file(there, "[Service]\n")])
        self.assertEqual(self.apply(**self.keys)["changed"], [])
        self.assertEqual(live(there), "[Service]\n")

    def test_a_drop_in_that_another_release_is_creating_stays(self):
        there = self.add_dropin("etc/systemd/system/app.service.d/theirs.conf")
        theirs = store.Release("theirs")
        store.write_private(
            theirs.record,
            f'{{"text": {support.json.dumps(support.manifest(release="theirs", file=[file(str(there), "")]))}}}',
        )
        self.assertEqual(self.apply(**self.keys)["changed"], [])
        self.assertTrue(there.exists())

    def test_drop_ins_of_other_units_stay(self):
        there = self.add_dropin("etc/systemd/system/other.service.d/override.conf")
        self.assertEqual(self.apply(**self.keys)["changed"], [])
        self.assertTrue(there.exists())

    def test_files_that_systemd_ignores_stay(self):
        there = self.add_dropin("etc/systemd/system/app.service.d/override.conf~")
        support.os.mkfifo(there.with_name("pipe"))
        there.with_name("folder.conf").mkdir()
        self.assertEqual(self.apply(**self.keys)["changed"], [])
        self.assertTrue(there.exists())

    def test_drop_ins_of_a_template_stay(self):
        there = self.add_dropin("etc/systemd/system/base@.service.d/o.conf")
        self.assertEqual(self.apply(**self.keys)["changed"], [])
        self.assertTrue(there.exists())

    def test_of_a_linked_folder_only_the_link_is_removed(self):
        elsewhere = self.add_dropin("srv/overrides/10.conf")
        link = Path(at("etc/containers/systemd/web.container.d"))
        link.symlink_to(elsewhere.parent)
        done = self.apply(**self.keys)
        self.assertEqual(done["changed"], [str(link)])
        self.assertFalse(link.is_symlink())
        self.assertTrue(elsewhere.exists())
        self.assertEqual(Path(f"{STATE}/aside/app/{done['generation']}{link}").readlink(), elsewhere.parent)

    def test_a_drop_in_that_another_release_took_over_meanwhile_stays(self):
        there = "etc/systemd/system/app.service.d/override.conf"
        self.add_dropin(there, "the admin's")
        planned = support.apply.make

        def then_taken(*arguments):
            plan = planned(*arguments)
            self.patch(support.apply, "make", planned)
            self.apply(release="theirs", file=[file(there, "theirs")])
            return plan

        self.patch(support.apply, "make", then_taken)
        self.apply(**self.keys)
        self.assertEqual(live(there), "theirs")
        remove.remove("theirs", "shop/prod/theirs")
        self.assertEqual(live(there), "the admin's")

    def test_an_earlier_copy_is_not_overwritten(self):
        for text in ("one", "two", "two"):
            self.add_dropin("etc/systemd/system/app.service.d/override.conf", text)
            self.apply(**self.keys)
            remove.remove("app", "shop/prod/app")
            self.apply(**self.keys)
        kept = sorted(path.read_text() for path in (STATE / "aside").rglob("override.conf*"))
        self.assertEqual(kept, ["one", "two"])

    def test_a_drop_in_with_a_name_that_is_not_text_is_removed(self):
        folder = Path(at("etc/systemd/system/app.service.d"))
        folder.mkdir(parents=True)
        odd = support.os.path.join(support.os.fsencode(folder), b"\xff.conf")
        support.os.symlink(b"\xfe", odd)
        self.patch(support.report, "_write", lambda _, text: text.encode(errors="backslashreplace"))
        self.apply(**self.keys)
        self.assertFalse(support.os.path.lexists(odd))

    def test_a_drop_in_is_restored_when_the_apply_fails(self):
        there = self.add_dropin("etc/systemd/system/app.service.d/override.conf")
        self.refused(ROLLED_BACK, **self.keys | {"probe": [shell("never", "false")]})
        self.assertEqual(there.read_text(), "[Service]\nMemoryMax=1G\n")

    def test_a_link_is_kept_as_a_link(self):
        there = Path(at("etc/systemd/system/app.service.d/null.conf"))
        there.parent.mkdir(parents=True)
        there.symlink_to("/dev/null")
        done = self.apply(**self.keys)
        self.assertFalse(there.is_symlink())
        self.assertEqual(str((STATE / f"aside/app/{done['generation']}{there}").readlink()), "/dev/null")

    def test_a_drop_in_removed_from_the_manifest_is_not_unmanaged(self):
        with_it = self.keys | {
            "file": [*self.keys["file"], file("etc/systemd/system/app.service.d/own.conf", "[Service]\n")]
        }
        self.apply(**with_it)
        self.apply(**self.keys)
        self.assertEqual(list((STATE / "aside").iterdir()), [])

    def test_a_drop_in_is_reported_with_its_content_until_it_is_removed(self):
        store.settle("release-app", "machine/0", {})
        there = self.add_dropin(
            "etc/systemd/system/app.service.d/override.conf",
            "[Service]\nEnvironment=TOKEN=hunter2-hunter2\nMemoryMax=1G\n",
        )
        item = facts.facts(diffs=True)["items"]["release-app"]
        self.assertEqual(item["due"], "machine/1")
        self.assertEqual(item["drifted"][0].splitlines()[0], f"{there} belongs to no release")
        self.assertIn("+MemoryMax=1G", item["drifted"][0])
        self.assertNotIn("hunter2", item["drifted"][0])
        self.apply(**self.keys)
        self.assertEqual(facts.facts(diffs=True)["items"]["release-app"]["drifted"], [])


class RuntimeDirectories(HostTest):
    """Runtime directories. The fake tmpfiles.d of these tests creates nothing; a restart of the unit creates them
    instead."""

    def setUp(self):
        super().setUp()
        self.patch(unmanaged, "RUN", at("run"))
        self.run = Path(at("run/app"))
        self.run.mkdir(parents=True)
        self.run.chmod(0o700)
        self.patch(
            support.systemd,
            "create_tmpfiles",
            lambda paths: (self.systemd.log.append("tmpfiles"), self.run.chmod(0o700)),
        )
        line = f"d {self.run} 0700 {support.os.getuid()} {support.os.getgid()} - -\n"
        self.keys = dict(
            file=[file("etc/tmpfiles.d/app.conf", line), file("etc/app.conf", "x")], unit=[{"name": "app.service"}]
        )
        store.settle("release-app", "machine/0", self.apply(**self.keys))
        self.systemd.log.clear()

    def test_correct_permissions_are_not_changed(self):
        self.assertEqual(self.apply(**self.keys)["units"], {})
        self.assertEqual(self.systemd.log, [])

    def test_wrong_permissions_are_drift_and_a_restart_recreates_the_directory(self):
        self.run.chmod(0o777)
        item = facts.facts()["items"]["release-app"]
        self.assertEqual((item["due"], len(item["drifted"])), ("machine/1", 1))
        self.assertIn(f"{self.run} is 0777", item["drifted"][0])
        done = self.apply(**self.keys)
        self.assertEqual((done["units"], done["changed"]), ({"app.service": "restart"}, []))
        self.assertEqual(self.systemd.log, ["tmpfiles", "restart app.service"])
        self.assertEqual(facts.facts()["items"]["release-app"]["drifted"], [])
        self.assertEqual(self.apply(**self.keys)["units"], {})

    def test_a_difference_that_a_restart_does_not_correct_is_not_retried(self):
        """For example the socket of a server that admits all accounts."""
        self.patch(support.systemd, "create_tmpfiles", lambda paths: None)
        self.run.chmod(0o777)
        self.assertEqual(self.apply(**self.keys)["units"], {"app.service": "restart"})
        self.assertEqual(self.apply(**self.keys)["units"], {})
        self.assertEqual(facts.facts()["items"]["release-app"]["drifted"], [])


if __name__ == "__main__":
    unittest.main()
