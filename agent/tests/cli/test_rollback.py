"""A failed apply is rolled back: files, modes, owners and units are as before, and the exit code describes the state of the host."""

import errno
import os
import unittest

from gatehouse.output.report import NOTHING_BEFORE, REFUSED, ROLLED_BACK, ROLLED_BACK_UNHEALTHY, Failure
from gatehouse.release import remove
from gatehouse.state.store import Release
from gatehouse.tree import files, originals
from tests import support
from tests.support import STATE, HostTest, at, file, live, shell


def folders() -> list[str]:
    return sorted(str(path) for path in support.TREE.rglob("*") if path.is_dir())


UNITS = [{"name": "app.service", "enabled": True}, {"name": "side.service"}]


def old() -> dict:
    return dict(
        file=[
            file("etc/app.conf", "old", "0600", restarts=["app.service"]),
            file("etc/app.key", "key", reloads=["side.service"]),
            file("etc/dropped", "dropped", "0604"),
        ],
        unit=[*UNITS, {"name": "dropped.service", "enabled": True}],
    )


def new(**keys) -> dict:
    """Changes content and mode, adds and removes a file, adds, drops, enables and disables units."""
    return (
        dict(
            file=[
                file("etc/app.conf", "new", "0644", restarts=["app.service"]),
                file("etc/app.key", "key two", reloads=["side.service"]),
                file("etc/added", "added", restarts=["added.service"]),
            ],
            unit=[*UNITS, {"name": "added.service", "enabled": True}, {"name": "bare.service"}],
        )
        | keys
    )


class AfterAGoodGeneration(HostTest):
    def setUp(self):
        super().setUp()
        os.makedirs(at("etc"))
        files.put(at("etc/dropped"), files.Content(b"theirs", 0o640, 12, 34))
        self.systemd.reads = {"app.service": at("etc/app.conf"), "side.service": at("etc/app.key")}
        self.apply(**old())
        self.before = self.standing()
        self.systemd.log.clear()

    def as_before(self):
        self.assertEqual(self.standing(), self.before)
        self.assertFalse(Release("app").record.exists())
        self.assertEqual(Release("app").generation, 1)
        self.assertEqual(
            originals.original(at("etc/dropped")).data, b"theirs", "the original outlives a failed removal"
        )

    def test_without_a_failure_it_would_have_changed(self):
        self.apply(**new())
        self.assertNotEqual(self.standing(), self.before)
        self.assertEqual(self.systemd.active, {"app.service", "side.service", "added.service", "bare.service"})
        self.assertEqual(self.systemd.enabled, {"app.service", "added.service"})
        self.assertEqual(live("etc/dropped"), "theirs")

    def test_a_unit_that_does_not_start_rolls_back(self):
        for unit in ("app.service", "added.service", "bare.service"):
            self.systemd.broken = lambda name, unit=unit: name == unit and os.path.exists(at("etc/added"))
            self.refused(ROLLED_BACK, f"{unit} failed", "rolled back to generation 1, which is healthy", **new())
            self.as_before()

    def test_a_failed_step_rolls_back(self):
        self.refused(
            ROLLED_BACK, "step roles failed", "no such role", **new(step=[shell("roles", "echo no such role; exit 1")])
        )
        self.as_before()

    def test_a_failed_probe_rolls_back(self):
        message = self.refused(
            ROLLED_BACK,
            "not healthy within the deadline",
            "probe answers: connection refused",
            **new(probe=[shell("answers", "echo connection refused; exit 1")]),
        )
        self.assertIn("rolled back to generation 1", message)
        self.as_before()

    def test_a_unit_that_dies_after_its_start_rolls_back(self):
        self.systemd.broken = lambda name: self.systemd.active.discard("added.service") or False
        self.refused(
            ROLLED_BACK,
            "added.service is not active",
            **new(file=new()["file"] + [file("etc/z", "", restarts=["z.service"])]),
        )
        self.systemd.broken = lambda name: False
        self.as_before()

    def test_a_full_disk_at_any_point_rolls_back(self):
        put = files.put
        for path in ("etc/app.conf", "etc/app.key", "etc/added", "etc/dropped"):

            def full(name, content, path=path):
                if name == at(path) and not self.disk_was_full:
                    self.disk_was_full = True
                    raise OSError(errno.ENOSPC, "No space left on device")
                put(name, content)

            self.disk_was_full = False
            with support.mock.patch.object(files, "put", full):
                self.refused(ROLLED_BACK, "No space left on device", **new())
            self.as_before()

    def test_a_missing_program_rolls_back(self):
        self.refused(ROLLED_BACK, "/nowhere is not installed", **new(step=[{"name": "x", "exec": ["/nowhere"]}]))
        self.as_before()

    def test_a_unit_that_was_down_before_stays_down(self):
        self.systemd.do("stop", "side.service")
        self.before = self.standing()
        self.systemd.written = {"side.service": "side: no database"}
        message = self.refused(ROLLED_BACK_UNHEALTHY, "side.service is not active", **new(step=[shell("no", "exit 1")]))
        _, _, second = message.partition("but it is not healthy:\n")
        self.assertIn("  the last lines of side.service:\n    side: no database\n", second)
        self.assertEqual(self.standing(), self.before)

    def test_units_that_stop_along_with_a_unit_are_started_again(self):
        self.systemd.active.add("tied.service")
        self.systemd.dependents = {"app.service": ["tied.service"]}
        self.before = self.standing()
        self.systemd.broken = lambda name: name == "app.service" and live("etc/app.conf") == "new"
        self.refused(ROLLED_BACK, **new())
        self.as_before()

    def test_the_next_apply_completes_the_change_that_failed(self):
        self.refused(ROLLED_BACK, **new(step=[shell("no", "exit 1")]))
        self.assertEqual(self.apply(**new())["generation"], 2)
        self.assertEqual(live("etc/app.conf"), "new")

    def test_a_directory_gets_its_mode_back_and_a_new_one_is_removed_unless_it_contains_data(self):
        def folders(mode, *names):
            return [{"path": at(name), "mode": mode, "owner": support.OWNER} for name in names]

        self.apply(**old(), directory=folders("0750", "srv/app"))
        self.before = self.standing()
        fails = shell("data", f"stat -c %a {at('srv/app')} > {at('srv/full/seen')}; exit 1")
        self.refused(
            ROLLED_BACK,
            **new(directory=folders("0700", "srv/app", "srv/new", "srv/new/deeper", "srv/full"), step=[fails]),
        )
        self.assertEqual((live("srv/full/seen"), files.look_folder(at("srv/app"))[0]), ("700\n", 0o750))
        self.assertEqual(sorted(os.listdir(at("srv"))), ["app", "full"])

    def test_a_folder_that_another_rollback_removes_meanwhile_still_gets_its_mode(self):
        homes, own = at("var/homes"), at("var/homes/app")
        folders = [
            {"path": homes, "mode": "0711", "owner": support.OWNER},
            {"path": own, "mode": "0750", "owner": support.OWNER},
        ]
        os.makedirs(homes)
        os.chmod(homes, 0o711)
        self.patch(support.apply.failpoints, "point", lambda name: os.rmdir(homes) if name == "claimed" else None)
        self.apply(release="another", directory=folders)
        self.assertEqual([oct(os.stat(path).st_mode)[-3:] for path in (homes, own)], ["711", "750"])

    def test_all_jobs_end_before_the_rollback_begins_and_all_errors_are_reported(self):
        made, ended = self.systemd.job, []

        def job(verb, names):
            job = made(verb, names)
            complaint = job.complaint
            job.complaint = lambda: (ended.append(verb), complaint())[1]
            return job

        self.patch(self.systemd, "job", job)
        self.systemd.broken = lambda name: name in ("added.service", "bare.service")
        self.refused(ROLLED_BACK, "restart added.service failed", "start bare.service failed", **new())
        self.assertEqual(ended[:5], ["stop", "restart", "reload", "start", "stop"])

    def test_an_unhealthy_rollback_is_reported_and_does_not_block_the_next_apply(self):
        self.systemd.broken = lambda name: name == "app.service"
        self.refused(
            ROLLED_BACK_UNHEALTHY,
            "rolled back to generation 1, but it is not healthy",
            "app.service is not active",
            **new(),
        )
        self.assertEqual(self.standing()[0], self.before[0])
        self.systemd.broken = lambda name: name == "app.service" and live("etc/app.conf") != "repaired"
        self.apply(**new(file=[file("etc/app.conf", "repaired", restarts=["app.service"]), *new()["file"][1:]]))
        self.assertIn("app.service", self.systemd.active)

    def fails_to_start_old_files(self, times: int) -> None:
        """app.service cannot start with the new files, and with the old ones only after so many failures."""
        failures = iter(range(times))
        self.systemd.broken = lambda name: (
            name == "app.service" and (live("etc/app.conf") == "new" or next(failures, None) is not None)
        )

    def test_a_unit_whose_first_start_fails_is_judged_by_its_health_after_the_rollback(self):
        self.fails_to_start_old_files(1)
        self.refused(ROLLED_BACK, "rolled back to generation 1, which is healthy", **new())
        self.as_before()

    def test_also_if_systemd_starts_it_later(self):
        self.fails_to_start_old_files(2)
        waited = self.clock.sleep

        def restarted(seconds: float) -> None:
            waited(seconds)
            if live("etc/app.conf") == "old" and "app.service" not in self.systemd.active:
                self.systemd.do("start", "app.service")

        self.patch(self.clock, "sleep", restarted)
        self.refused(ROLLED_BACK, "rolled back to generation 1, which is healthy", **new())
        self.as_before()

    def test_a_unit_that_never_starts_again_is_reported_with_its_first_failure(self):
        self.fails_to_start_old_files(1000)
        self.refused(ROLLED_BACK_UNHEALTHY, "but it is not healthy:\nsystemctl restart app.service failed", **new())

    def test_a_unit_that_does_not_stop_does_not_prevent_the_rollback_of_files(self):
        job = self.systemd.job

        def stubborn(verb, names):
            made = job(verb, names)
            if verb == "stop" and "added.service" in names:
                made.failed, made.queued = names, lambda: None
            return made

        self.patch(self.systemd, "job", stubborn)
        self.refused(ROLLED_BACK_UNHEALTHY, "systemctl stop added.service", **new(step=[shell("no", "exit 1")]))
        self.assertEqual(self.standing()[0], self.before[0])

    def test_the_journal_of_the_units_is_shown(self):
        self.systemd.written = "app: cannot bind"
        self.refused(ROLLED_BACK, "the last lines of app.service", "cannot bind", **new(step=[shell("no", "exit 1")]))

    def test_a_refusal_under_the_lock_changes_nothing(self):
        before, keys = support.identities(), new(unit=[*UNITS, {"name": "dropped.service", "enabled": True}])
        self.patch(support.apply.checks, "run", lambda *_: None)
        self.patch(support.apply.checks, "units", lambda _: (_ for _ in ()).throw(Failure("they clash together")))
        self.refused(REFUSED, "they clash together", **keys)
        self.assertEqual((support.identities(), self.systemd.log), (before, []))
        self.as_before()

    def test_a_refusal_under_the_lock_restarts_the_units_stopped_for_it(self):
        before = support.identities()
        self.patch(support.apply.checks, "run", lambda *_: None)
        self.patch(support.apply.checks, "units", lambda _: (_ for _ in ()).throw(Failure("they clash together")))
        self.refused(ROLLED_BACK, "they clash together", **new())
        self.assertEqual(
            (support.identities(), self.systemd.log), (before, ["stop dropped.service", "start dropped.service"])
        )
        self.as_before()

    def test_a_refusal_before_the_swap_is_not_a_rollback(self):
        self.refused(REFUSED, "step", **new(step=[{"name": "x"}]))
        self.as_before()


class TheFirstEverFailure(HostTest):
    def test_no_folder_created_for_a_file_is_left(self):
        os.makedirs(at("etc/systemd"))
        files.put(at("etc/systemd/theirs"), files.Content(b"", 0o644, 0, 0))
        os.makedirs(at("etc/empty"))
        before = folders()
        self.refused(
            NOTHING_BEFORE,
            **new(
                file=[file("etc/systemd/system/x.service.d/a.conf", ""), file("etc/empty/file", "")],
                step=[shell("no", "exit 1")],
            ),
        )
        self.assertEqual(folders(), before)
        self.assertFalse((STATE / "folders.json").exists())

    def test_nothing_is_left(self):
        os.makedirs(at("etc"))
        files.put(at("etc/app.conf"), files.Content(b"theirs", 0o640, 12, 34))
        before = self.standing()
        self.refused(NOTHING_BEFORE, "had no earlier generation", **new(step=[shell("no", "exit 1")]))
        self.assertEqual(self.standing(), before)
        self.assertEqual(Release("app").generation, 0)
        self.assertEqual(
            [path for path in STATE.rglob("*") if path.is_file() and path.parent.name not in ("locks", "etc")], []
        )

    def test_an_original_file_edited_after_the_failure_is_restored_as_edited(self):
        self.test_nothing_is_left()
        support.Path(at("etc/app.conf")).write_text("theirs, edited")
        self.apply(**new())
        remove.remove("app", "shop/prod/app")
        self.assertEqual(live("etc/app.conf"), "theirs, edited")


if __name__ == "__main__":
    unittest.main()
