"""`gatehouse status`: exits with 0 if all is healthy, and otherwise with 3 and a list of problems."""

import contextlib
import errno
import io
import os
import sys
import unittest
from unittest import mock

from gatehouse.drift import facts
from gatehouse.health import disks
from gatehouse.items import packages
from gatehouse.output import table
from gatehouse.output.report import Failure
from gatehouse.protocol.document import sealed
from gatehouse.release import apply
from gatehouse.state import store, wanted
from gatehouse.system import mounts
from tests import support
from tests.support import at, file, secret, shell
from tests.verbs import VerbTest


class Status(VerbTest):
    def setUp(self):
        super().setUp()
        self.ok = support.ROOM / "ok"
        self.ok.write_text("")
        self.keys = dict(
            file=[file("etc/app.conf", "port = 1\n")],
            unit=[{"name": "app.service"}, {"name": "side.service"}],
            probe=[shell("answers", f"test -e {self.ok} || {{ echo no answer; exit 1; }}")],
        )
        self.given(**self.keys)

    def release(self, code: int) -> dict:
        found = self.answers(code, "status")
        self.assertEqual(found["healthy"], code == 0)
        return found["releases"][0]

    def test_a_healthy_host(self):
        text = self.shows(0, "1 release, all healthy", argv=("status",))
        head, first, second = text.splitlines()[:3]
        self.assertEqual(
            first.split(), ["app", "1", "0", "s", "ago", "app.service", "active", "1", "of", "1", "pass", "in", "sync"]
        )
        self.assertEqual(head.index("UNIT"), first.index("app.service"))
        self.assertEqual(head.index("UNIT"), second.index("side.service"))
        found = self.release(0)
        self.assertEqual(
            (
                found["generation"],
                found["units"],
                found["probes"],
                found["drifted"],
                found["interrupted"],
                found["healthy"],
            ),
            (1, {"app.service": "active", "side.service": "active"}, {"answers": None}, [], False, True),
        )
        self.assertRegex(found["applied"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_a_refused_first_apply_creates_no_release(self):
        self.refused(
            support.report.REFUSED,
            "belongs to release app",
            call=lambda: self.given(release="other", unit=[{"name": "app.service"}]),
        )
        self.assertTrue((support.STATE / "releases/other").exists())
        self.assertEqual([r["release"] for r in self.answers(0, "status")["releases"]], ["app"])

    def test_a_failing_probe_is_unhealthy(self):
        self.ok.unlink()
        self.shows(3, "0 of 1 pass  unhealthy", "app      probe answers: no answer", argv=("status",))
        self.assertEqual(self.release(3)["probes"], {"answers": "no answer"})

    def test_an_inactive_unit(self):
        self.systemd.active.discard("side.service")
        text = self.shows(3, "inactive", "drifted", "side.service is not active", argv=("status",))
        self.assertEqual(text.count("side.service is"), 1)
        self.assertEqual(self.release(3)["units"]["side.service"], "inactive")

    def test_a_reloading_unit_is_healthy_until_its_reload_hangs(self):
        self.systemd.hung.add("side.service")
        self.systemd.stirred["side.service"] = self.clock.now - 5
        self.assertEqual(self.release(0)["units"]["side.service"], "reloading")
        self.systemd.stirred["side.service"] = self.clock.now - 11
        self.shows(3, "reloading", "drifted", "the reload of side.service does not finish", argv=("status",))
        self.systemd.log.clear()
        self.given(**self.keys)
        self.assertEqual(self.systemd.log, ["restart side.service"])
        self.assertEqual(self.release(0)["units"]["side.service"], "active")

    def test_a_job_of_a_timer_is_healthy_unless_its_last_run_failed(self):
        self.systemd.triggers = {"side.timer": "side-job.service"}
        self.given(**self.keys | {"unit": [{"name": "side.timer"}]})
        for running, state in (((), "inactive"), (("side-job.service",), "active")):
            self.systemd.active.update(running)
            self.assertEqual(self.release(0)["jobs"], {"side-job.service": state})
        self.systemd.active.discard("side-job.service")
        self.systemd.failed.add("side-job.service")
        self.shows(3, "side-job.service  failed", "the last run of side-job.service failed", argv=("status",))
        self.assertEqual((self.release(3)["jobs"], self.release(3)["drifted"]), ({"side-job.service": "failed"}, []))

    def test_a_file_that_was_changed_by_hand(self):
        os.chmod(at("etc/app.conf"), 0o666)
        self.shows(3, "drifted", "mode or owner was changed by hand", argv=("status",))
        self.assertEqual(len(self.release(3)["drifted"]), 1)

    def test_an_interrupted_apply_and_one_in_progress(self):
        store.Release("app").record.write_text('{"text": ""}')
        self.shows(3, "interrupted", argv=("status",))
        self.assertTrue(self.release(3)["interrupted"])
        with store.lock("release-app", "apply of release app"):
            self.shows(3, "in progress", "apply of release app is in progress", argv=("status",))
            found = self.release(3)
            self.assertEqual(
                (found["interrupted"], found["in_progress"], found["drifted"]), (False, "apply of release app", [])
            )

    def test_no_secret_is_printed(self):
        self.apply(release="pw", secret=True, file=[secret("pw", "correct-horse")])
        support.report._secrets.clear()
        self.given(
            release="leaky", probe=[shell("leak", f"cat {support.STATE}/secrets/pw/1/password; test -e {self.ok}")]
        )
        self.ok.unlink()
        self.assertIn("[secret]", self.shows(3, "leaky", argv=("status",)))
        self.assertNotIn("correct-horse", self.ask("status")[1] + self.ask("status", "--json")[1])

    def test_an_empty_host_is_healthy(self):
        support.shutil.rmtree(support.STATE / "releases")
        self.shows(0, "no release is on this host", argv=("status",))


def wants(*names: str, stack: str = "shop/prod", **sketches: str) -> None:
    wanted.record(stack, dict.fromkeys(names, "") | sketches)


class Images(VerbTest):
    def test_the_room_of_images_in_use_and_of_older_ones_is_shown(self):
        for number in (1, 2, 3):
            self.given(image=[{"reference": f"app:{number}"}], file=[file("etc/app.conf", f"{number}")])
        self.shows(0, "\nimages: 1.0 GiB in use, 2.0 GiB kept for rollbacks\n", argv=("status",))
        found = self.answers(0, "status")["images"]
        self.assertEqual([image["needed"] for image in found], ["rollback", "rollback", "live"])


class Retained(VerbTest):
    """A release of secrets stays when its stack removes it; the service that its probe asks may be stopped."""

    def setUp(self):
        super().setUp()
        self.ok = support.ROOM / "ok"
        self.ok.write_text("")
        self.up()
        self.ok.unlink()
        self.shows(3, "pw       probe answers: fails", argv=("status",))

    def up(self, **keys) -> None:
        text = support.manifest(
            release="pw",
            secret=True,
            file=[secret("pw", "correct-horse")],
            probe=[shell("answers", f"test -e {self.ok}")],
            **keys,
        )
        self.patch(sys, "stdin", io.TextIOWrapper(io.BytesIO(sealed(text))))
        self.ask("release", "pw", "--due", "machine/0")

    def remove(self) -> None:
        self.ask("remove", "pw", "--owner", "shop/prod/pw")

    def test_it_is_not_probed_and_status_names_it(self):
        self.remove()
        text = self.shows(0, "no release is on this host", argv=("status",))
        self.assertIn("secrets that stay for a later `pulumi up`: pw\n", text)
        found = self.answers(0, "status")
        self.assertEqual((found["releases"], found["missing"], found["retained"]), ([], [], ["pw"]))
        self.shows(0, "in sync: 0 items, no differences", argv=("verify",))
        self.assertEqual(self.answers(0, "facts")["items"], {}, "the next `up` sends it again")

    def test_a_second_removal_changes_nothing(self):
        self.remove()
        self.remove()
        self.assertEqual(self.answers(0, "status")["retained"], ["pw"])

    def test_beside_other_releases_it_is_not_one_of_them(self):
        self.given(release="site")
        self.remove()
        self.shows(0, "1 release, all healthy", "secrets that stay for a later `pulumi up`: pw\n", argv=("status",))

    def test_it_is_probed_again_once_it_is_applied_again(self):
        self.remove()
        self.ok.write_text("")
        self.up()
        self.assertEqual(self.answers(0, "status")["retained"], [])
        self.shows(0, "1 of 1 pass  in sync", "1 release, all healthy", argv=("status",))
        self.ok.unlink()
        self.shows(3, "pw       probe answers: fails", argv=("status",))
        self.assertEqual(len(self.answers(0, "facts")["items"]["release-pw"]["drifted"]), 1)

    def test_it_is_missing_if_a_stack_wants_it_and_could_not_apply_it(self):
        self.remove()
        wants("pw")
        self.refused(support.report.ROLLED_BACK_UNHEALTHY, "answers", call=self.up)
        self.shows(
            3, "pw       it is not on this host although", "run that again: not healthy within", argv=("status",)
        )
        self.shows(3, "release pw  it is not on this host although", argv=("verify",))
        self.ok.write_text("")
        self.up()
        self.shows(0, "1 release, all healthy", argv=("status",))

    def test_while_it_is_applied_again_it_is_in_progress_and_interrupted_after_a_crash(self):
        self.remove()
        store.Release("pw").record.write_text('{"text": ""}')
        self.shows(3, "interrupted", argv=("status",))
        with store.lock("release-pw", "apply of release pw"):
            self.shows(3, "in progress", argv=("status",))


class WhatTheLastUpWanted(VerbTest):
    def setUp(self):
        super().setUp()
        self.given(file=[file("etc/app.conf", "port = 1\n")])

    def rows(self, code: int) -> dict[str, str]:
        """The state of each release in the table, and its problems."""
        text = self.ask("status")[1]
        self.assertEqual(self.ask("status")[0], code, text)
        return dict(line.split(maxsplit=1) for line in text.partition("\nRELEASE")[2].splitlines()[1:])

    def release(self, **keys) -> None:
        self.patch(sys, "stdin", io.TextIOWrapper(io.BytesIO(sealed(support.manifest(**keys)))))
        self.ask("release", keys["release"], "--due", "machine/0")

    def refuse(self, name: str) -> None:
        """Its image cannot be pulled."""
        self.patch(self.systemd, "pull", lambda reference: "Error: manifest unknown")
        image = [{"reference": "app:9"}]
        self.refused(1, "cannot be pulled", call=lambda: self.release(release=name, image=image))

    def test_a_release_that_is_there_is_not_missing(self):
        wants("app")
        self.shows(0, "1 release, all healthy", argv=("status",))
        self.assertEqual(self.answers(0, "status")["missing"], [])

    def test_what_could_not_be_applied_is_missing_with_the_reason_and_so_is_what_waits_for_it(self):
        wants("app", "server", "site")
        self.refuse("server")
        text = self.shows(3, argv=("status",))
        self.assertEqual(text.splitlines()[2].split(), ["server", "-", "-", "-", "-", "missing"])
        self.assertEqual(
            self.rows(3),
            {
                "server": "it is not on this host although the last `pulumi up` of shop/prod wanted it; run that "
                "again: image app:9 cannot be pulled, nothing was changed: Error: manifest unknown if app:9 requires a "
                "login, set `registries` in the configuration: docs/configuration.md",
                "site": "it is not on this host although the last `pulumi up` of shop/prod wanted it; run that again",
            },
        )
        self.assertEqual([m["release"] for m in self.answers(3, "status")["missing"]], ["server", "site"])
        self.shows(3, "release server  it is not on this host", argv=("verify",))

    def test_it_is_no_longer_missing_once_it_is_applied_or_no_longer_wanted(self):
        wants("app", "server")
        self.refuse("server")
        wants("app")
        self.assertEqual(self.rows(0), {})
        wants("app", "server")
        self.patch(self.systemd, "pull", lambda reference: None)
        self.release(release="server", image=[{"reference": "app:9"}])
        self.shows(0, "2 releases, all healthy", argv=("status",))
        self.assertFalse((support.STATE / "failures/release-server").exists())

    def test_a_release_that_its_stack_removed_is_not_missing(self):
        wants("app")
        self.ask("remove", "app", "--owner", "shop/prod/app")
        self.shows(0, "no release is on this host", argv=("status",))

    def test_nor_is_one_that_moved_to_another_stack_which_removed_it(self):
        wants("app", "site")
        wants("app", stack="shop/live")
        self.release(release="app", owner="shop/live/app", takes=["stack shop/prod"])
        self.ask("remove", "app", "--owner", "shop/live/app")
        self.assertEqual([m["release"] for m in self.answers(3, "status")["missing"]], ["site"])

    def test_a_stack_that_left_wants_nothing(self):
        wants("app", "server")
        self.refuse("server")
        wanted.leave("shop/prod")
        self.shows(0, "1 release, all healthy", argv=("status",))
        self.assertEqual((wanted.stacks(), (support.STATE / "failures/release-server").exists()), ([], False))

    def test_a_release_that_is_not_the_wanted_version_is_named_with_the_reason_and_so_is_what_waits_for_it(self):
        wants(app="1", site="1")
        for name in ("app", "site"):
            self.release(release=name, file=[file(f"etc/{name}.conf", "port = 1\n")])
        self.shows(0, "2 releases, all healthy", argv=("status",))
        wants(app="2", site="2")
        self.refuse("app")
        behind = "it is not the version that the last `pulumi up` of shop/prod wanted; run that again"
        self.assertEqual(
            self.rows(3),
            {
                "app": f"{behind}: image app:9 cannot be pulled, nothing was changed: Error: manifest unknown if app:9 "
                "requires a login, set `registries` in the configuration: docs/configuration.md",
                "site": behind,
            },
        )
        found = self.answers(3, "status")
        self.assertEqual(([one["release"] for one in found["behind"]], found["missing"]), (["app", "site"], []))
        self.shows(3, f"release site  {behind}", argv=("verify",))
        with store.lock("release-app", "apply of release app"):
            self.assertEqual(self.rows(3)["app"], "apply of release app is in progress")
        self.patch(self.systemd, "pull", lambda reference: None)
        self.release(release="app", image=[{"reference": "app:9"}])
        self.assertEqual(self.rows(3), {"site": behind})
        self.release(release="site", file=[file("etc/site.conf", "port = 2\n")])
        self.shows(0, "2 releases, all healthy", argv=("status",))

    def test_it_is_the_wanted_version_again_once_the_change_is_taken_back(self):
        wants(app="1")
        self.release(release="app", file=[file("etc/app.conf", "port = 1\n")])
        wants(app="2")
        self.refuse("app")
        self.assertIn("app", self.rows(3))
        wants(app="1")
        self.shows(0, "1 release, all healthy", argv=("status",))
        wants(app="3")
        self.assertEqual(
            self.rows(3)["app"], "it is not the version that the last `pulumi up` of shop/prod wanted; run that again"
        )

    def test_one_whose_document_alone_differs_is_named_if_it_could_not_be_applied(self):
        wants(app="1")
        self.release(release="app", file=[file("etc/app.conf", "password 1\n")])
        self.refuse("app")
        self.assertIn("it is not the version", self.rows(3)["app"])
        self.release(release="app", file=[file("etc/app.conf", "password 2\n")])
        self.shows(0, "1 release, all healthy", argv=("status",))

    def test_a_document_that_was_taken_back_is_no_longer_wanted_after_the_next_up_and_one_that_was_not_fails_again(
        self,
    ):
        wanted.declare("shop/prod", {"app": "1"})
        self.release(release="app", file=[file("etc/app.conf", "password 1\n")])
        self.refuse("app")
        self.assertEqual(wanted.of_stacks(), {}, "the next `pulumi up` declares its releases again")
        wanted.declare("shop/prod", {"app": "1"})
        self.refuse("app")
        self.assertIn("it is not the version", self.rows(3)["app"])
        wanted.declare("other/live", {})
        self.assertIn("it is not the version", self.rows(3)["app"])
        wanted.declare("shop/prod", {"app": "1"})
        self.shows(0, "1 release, all healthy", argv=("status",))
        self.assertEqual(wanted.of_stacks(), {"shop/prod": {"app": "1"}})

    def test_an_error_of_the_agent_itself_is_named_as_one(self):
        wants("app", "server")
        self.patch(apply, "make", mock.Mock(side_effect=KeyError("Id")))
        with self.assertRaises(KeyError):
            self.release(release="server")
        self.assertIn("run that again: KeyError: 'Id'", self.rows(3)["server"])

    def test_a_secret_release_and_one_that_an_older_agent_applied_have_no_known_version(self):
        wants("app")
        self.shows(0, "1 release, all healthy", argv=("status",))
        wants(app="2")
        self.shows(0, "1 release, all healthy", argv=("status",))

    def test_packages_that_cannot_be_installed_are_the_reason_until_they_are(self):
        wants("app", "server")
        self.patch(packages, "versions", lambda manager, names: {})
        self.patch(packages, "_install", mock.Mock(side_effect=Failure("web cannot be installed: no such package")))
        self.packages()
        missing = "it is not on this host although the last `pulumi up` of shop/prod wanted it; run that again"
        self.assertEqual(
            self.rows(3), {"server": f"{missing}: packages web failed: web cannot be installed: no such package"}
        )
        self.patch(packages, "_install", lambda *_: None)
        self.packages()
        self.assertEqual(self.rows(3), {"server": missing})

    def packages(self) -> None:
        self.patch(sys, "stdin", io.TextIOWrapper(io.BytesIO(sealed('names = ["web"]\n'))))
        with contextlib.suppress(Failure):
            self.ask("packages", "web", "--due", "machine/0")

    def test_of_a_stack_that_sends_no_names_what_could_not_be_applied_is_missing(self):
        """With drift checking off, the program does not inspect the host."""
        self.refuse("server")
        self.assertEqual([m["release"] for m in self.answers(3, "status")["missing"]], ["server"])
        self.assertIn("cannot be pulled", self.rows(3)["server"])
        wants("app")
        self.assertEqual(self.rows(0), {}, "the stack no longer wants it")

    def test_a_first_apply_in_progress(self):
        wants("app", "server")
        with store.lock("release-server", "apply of release server"):
            self.shows(3, "in progress", "apply of release server is in progress", argv=("status",))


class Disks(VerbTest):
    def setUp(self):
        super().setUp()
        self.patch(
            disks.mounts,
            "all_mounts",
            lambda: [
                mounts.Mount("/", "ext4", "/dev/vda1", ()),
                mounts.Mount("/data", "ext4", "/dev/vdb1", ()),
                mounts.Mount("/srv", "fuse.sshfs", "keeper:", ("user_id=1000",)),
                mounts.Mount("/var/lib/postgresql", "ext4", "/dev/vdc1", ()),
            ],
        )
        self.given(data=[{"name": "files", "path": "/data/app/files"}])

    def problems(self) -> list[str]:
        found = self.answers(3 if any(self.systemd.rooms.values()) else 0, "status")
        self.assertEqual(facts.facts()["warnings"], [d["problem"] for d in found["disks"] if d["problem"]])
        return [disk["point"] for disk in found["disks"] if disk["problem"]]

    def test_all_disks_that_releases_write_to_are_asked(self):
        found = {disk["point"]: disk["paths"] for disk in self.answers(0, "status")["disks"]}
        self.assertEqual(list(found), ["/", "/data", "/var/lib/postgresql"])
        self.assertEqual(found["/data"], ["/data/app/files"])
        self.assertEqual(self.problems(), [])

    def test_a_full_disk_is_named_with_its_path(self):
        self.systemd.rooms = {"/": support.room(free=0)}
        self.shows(
            3,
            f"only 0 B of 10 GiB are free on the disk of {support.STATE} (mounted at /); to see what takes the room: "
            "du -xh --max-depth=2 / | sort -h | tail",
            argv=("status",),
        )
        for point in ("/data", "/var/lib/postgresql"):
            self.systemd.rooms = {point: support.room(free=100)}
            self.assertEqual(self.problems(), [point])

    def test_a_disk_without_room_for_another_file_is_full(self):
        self.systemd.rooms = {"/": support.room(files=3)}
        self.shows(3, "only 3 more files can be created, of 1000000", argv=("status",))

    def test_a_twentieth_of_a_small_disk_is_enough(self):
        self.systemd.rooms = {"/": support.room(free=(10 << 18) // 20)}
        self.assertEqual(self.answers(0, "status")["healthy"], True)

    def test_a_disk_that_is_mounted_read_only_is_not_one_that_lacks_room(self):
        self.systemd.rooms = {"/var/lib/postgresql": support.room(free=0, flags=os.ST_RDONLY)}
        points = [disk["point"] for disk in self.answers(0, "status")["disks"]]
        self.assertEqual(points, ["/", "/data"])

    def test_the_command_is_one_for_a_shell(self):
        self.patch(disks.mounts, "all_mounts", lambda: [mounts.Mount("/var/lib/my disk", "ext4", "/dev/vdb1", ())])
        self.systemd.rooms = {"/var/lib/my disk": support.room(free=0)}
        self.shows(3, "du -xh --max-depth=2 '/var/lib/my disk' | sort", argv=("status",))

    def test_an_empty_host_with_a_full_disk_is_not_healthy(self):
        support.shutil.rmtree(support.STATE / "releases")
        self.systemd.rooms = {"/": support.room(free=0)}
        self.shows(3, "only 0 B", argv=("status",))

    def test_an_error_of_a_full_disk_names_it(self):
        self.systemd.rooms = {"/data": support.room(free=0)}
        error = OSError(errno.ENOSPC, "No space left on device")
        self.patch(apply.checks, "run", lambda *_: None)
        self.patch(apply.guards, "save", lambda *_: (_ for _ in ()).throw(error))
        self.refused(
            1,
            "a disk is full: [Errno 28] No space left on device",
            "only 0 B of 10 GiB are free on the disk of /data/app/files",
            file=[file("etc/app.conf", "x")],
        )
        self.assertIsNone(disks.explain(OSError(errno.EACCES, "Permission denied")))


class Words(VerbTest):
    def test_it_needs_root(self):
        environment = {key: value for key, value in os.environ.items() if key != "GATEHOUSE_STATE"}
        with (
            support.mock.patch.dict(os.environ, environment, clear=True),
            support.mock.patch.object(os, "geteuid", lambda: 1000),
        ):
            self.refused(1, "only root", call=lambda: self.ask("status"))
            self.assertEqual(self.ask("--help")[0], 0)

    def test_ages_of_times(self):
        with support.mock.patch.object(table.time, "time", lambda: 1000000.0):
            self.assertEqual(
                [table.ago(1000000 - seconds) for seconds in (-5, 0, 59, 60, 7200, 86400 * 3)],
                ["0 s ago", "0 s ago", "59 s ago", "1 min ago", "2 h ago", "3 d ago"],
            )


if __name__ == "__main__":
    unittest.main()
