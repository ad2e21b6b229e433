"""A successful apply makes the required changes, once, and nothing else."""

import os
import pwd
import unittest
from functools import partial

from gatehouse.output.report import REFUSED
from gatehouse.release import apply
from gatehouse.state.store import Release
from gatehouse.system import machine
from gatehouse.tree import files
from tests import support
from tests.support import STATE, HostTest, at, file, identities, live, shell, tree

UNIT = [{"name": "app.service", "enabled": True}]


def conf(text: str = "one", **keys) -> dict:
    return file("etc/app.conf", text, restarts=["app.service"], **keys)


class TheFirstApply(HostTest):
    def test_everything_is_created_and_started(self):
        marker = at("stepped")
        answer = self.apply(
            directory=[{"path": at("srv/app"), "mode": "0750", "owner": support.OWNER}],
            image=[{"reference": "app:1"}],
            file=[conf(), file("etc/app.key", "key", "0400", reloads=["app.service"])],
            unit=UNIT,
            step=[shell("mark", f"cat > {marker}", stdin="hello")],
            probe=[shell("marked", f"test -s {marker}")],
        )
        self.assertEqual(
            answer,
            {
                "release": "app",
                "generation": 1,
                "changed": [at("etc/app.conf"), at("etc/app.key"), at("srv/app")],
                "units": {"app.service": "restart"},
            },
        )
        self.assertEqual(
            (self.systemd.fetched, self.systemd.log), (["app:1"], ["enable app.service", "restart app.service"])
        )
        self.assertEqual((live("etc/app.conf"), live("stepped"), os.path.isdir(at("srv/app"))), ("one", "hello", True))
        self.assertEqual((tree()["etc/app.conf"][1], tree()["etc/app.key"][1]), (0o644, 0o400))

    def test_preparations_run_before_the_checks(self):
        made = at("srv/cluster")
        keys = dict(
            file=[conf()],
            unit=UNIT,
            check=[shell("reads it", f"grep made {made}", tree=at("etc"))],
            preparation=[
                shell("cluster", f"test -e {made} || {{ mkdir -p {at('srv')} && cat >{made}; }}", stdin="made")
            ],
        )
        self.apply(**keys)
        self.assertEqual((live("srv/cluster"), live("etc/app.conf")), ("made", "one"))
        os.unlink(made)
        self.apply(**keys)
        self.assertFalse(os.path.exists(made), "nothing else differs, so that nothing is done")
        self.systemd.active.clear()
        self.apply(**keys)
        self.assertEqual(live("srv/cluster"), "made")

    def test_if_a_preparation_fails_nothing_is_changed(self):
        self.refused(
            REFUSED,
            "preparation cluster failed:\n    no room",
            file=[conf()],
            unit=UNIT,
            preparation=[shell("cluster", "echo no room >&2; exit 1")],
        )
        self.assertEqual((tree(), self.systemd.log), ({}, []))

    def test_a_unit_that_no_file_names_is_started(self):
        self.apply(unit=[{"name": "app.service"}])
        self.assertEqual(self.systemd.log, ["start app.service"])

    def test_the_deadline_counts_from_the_start_of_the_units(self):
        put = files.put
        self.patch(files, "put", lambda *change: (self.clock.sleep(1000), put(*change)))
        self.apply(
            file=[conf()],
            unit=UNIT,
            deadline=60,
            probe=[shell("second time", f"test -e {at('asked')} || {{ touch {at('asked')}; false; }}")],
        )
        self.assertEqual(live("etc/app.conf"), "one")

    def test_no_temporary_files_are_left(self):
        self.apply(file=[conf()], unit=UNIT)
        self.assertEqual({p.name for p in (STATE / "releases/app").iterdir()}, {"1", "current"})


class TheSecondApply(HostTest):
    def setUp(self):
        super().setUp()
        self.keys = dict(
            file=[conf(), file("etc/app.key", "key", reloads=["app.service"])],
            unit=UNIT,
            image=[{"reference": "app:1"}],
            step=[shell("mark", f"echo x >> {at('marks')}")],
        )
        self.apply(**self.keys)
        self.systemd.log.clear()

    def change(self, **keys) -> dict:
        return self.apply(**self.keys | keys)

    def test_without_a_change_nothing_is_written_and_no_unit_is_reloaded_or_restarted(self):
        def everything():
            return identities(), {p: p.stat().st_mtime_ns for p in STATE.rglob("*") if p.parent.name != "locks"}

        before = everything()
        self.assertEqual(self.change(), {"release": "app", "generation": 1, "changed": [], "units": {}})
        self.assertEqual((everything(), self.systemd.log), (before, []))
        self.change(file=[conf("two")])
        self.assertNotEqual(everything(), before)

    def test_a_changed_file_restarts_its_unit_once_and_touches_no_other_file(self):
        before = identities()
        wanted = [
            conf("two"),
            file("etc/app.key", "key", reloads=["app.service"]),
            file("etc/more.conf", "x", restarts=["app.service", "other.service"]),
        ]
        answer = self.change(file=wanted)
        self.assertEqual(answer["units"], {"app.service": "restart", "other.service": "restart"})
        self.assertEqual(self.systemd.log, ["restart app.service", "restart other.service"])
        self.assertEqual(identities()["etc/app.key"], before["etc/app.key"])
        self.assertNotEqual(identities()["etc/app.conf"], before["etc/app.conf"])

    def test_a_file_that_reloads_does_not_restart(self):
        self.change(file=[conf(), file("etc/app.key", "key two", reloads=["app.service"])])
        self.assertEqual(self.systemd.log, ["reload app.service"])

    def test_a_restarted_unit_is_not_reloaded_too(self):
        self.change(file=[conf("two"), file("etc/app.key", "key two", reloads=["app.service"])])
        self.assertEqual(self.systemd.log, ["restart app.service"])

    def test_a_unit_that_is_down_is_started_in_place_of_a_reload(self):
        self.systemd.active.clear()
        self.change(file=[conf(), file("etc/app.key", "key two", reloads=["app.service"])])
        self.assertEqual(self.systemd.log, ["start app.service"])

    def test_a_changed_mode_is_a_change(self):
        self.assertEqual(self.change(file=[conf(mode="0600")])["changed"], [at("etc/app.conf"), at("etc/app.key")])
        self.assertEqual(tree()["etc/app.conf"][1], 0o600)

    def test_a_manually_changed_file_is_restored(self):
        for damage in (
            lambda: support.Path(at("etc/app.conf")).write_text("hand"),
            lambda: os.chmod(at("etc/app.conf"), 0o666),
            lambda: os.unlink(at("etc/app.conf")),
        ):
            before = tree()
            damage()
            self.assertEqual(self.change()["changed"], [at("etc/app.conf")])
            self.assertEqual(tree() | {"marks": 0}, before | {"marks": 0})

    def test_a_manually_stopped_or_disabled_unit_is_started_and_enabled(self):
        for damaged, verb in ((self.systemd.active, "start"), (self.systemd.enabled, "enable")):
            damaged.clear()
            self.systemd.log.clear()
            self.change()
            self.assertEqual((self.systemd.log, damaged), ([f"{verb} app.service"], {"app.service"}))

    def test_a_file_that_the_manifest_drops_is_removed_and_its_unit_restarted(self):
        self.change(file=[file("etc/app.key", "key", reloads=["app.service"])])
        self.assertNotIn("etc/app.conf", tree())
        self.assertEqual(self.systemd.log, ["restart app.service"])

    def test_removing_a_file_does_not_start_inactive_units_of_others(self):
        theirs = {"restarts": ["old.service"]}, {"reloads": ["other.service"]}
        self.apply(file=[file("etc/old", "x", **theirs[0]), file("etc/other", "x", **theirs[1])])
        self.systemd.active -= {"old.service", "other.service"}
        self.systemd.log.clear()
        self.apply(file=[file("etc/new", "x", restarts=["new.service"])])
        self.assertEqual(self.systemd.log, ["restart new.service"])

    def test_a_unit_that_the_manifest_drops_is_stopped_and_disabled(self):
        self.assertEqual(
            self.change(unit=[{"name": "new.service"}])["units"], {"app.service": "stop", "new.service": "start"}
        )
        self.assertEqual(self.systemd.log, ["stop app.service", "disable app.service", "start new.service"])

    def test_a_unit_that_goes_with_its_file_is_not_started_again(self):
        self.change(file=[], unit=[])
        self.assertEqual((self.systemd.log, self.systemd.active), (["stop app.service", "disable app.service"], set()))

    def timed(self, calendar: str = "daily") -> dict:
        """Adds a timer and the service that it starts, which is not a unit of the release."""
        self.systemd.triggers = {"job.timer": "job.service"}
        timer = file("etc/systemd/system/job.timer", calendar, "0644", restarts=["job.timer"])
        return dict(file=self.keys["file"] + [timer], unit=[*UNIT, {"name": "job.timer", "enabled": True}])

    def test_a_timer_does_not_run_while_systemd_reads_another_calendar(self):
        self.change(**self.timed())
        self.systemd.log.clear()
        self.assertEqual(self.change(**self.timed("hourly"))["units"], {"job.timer": "restart"})
        self.assertEqual(self.systemd.log, ["stop job.timer", "daemon-reload", "restart job.timer"])

    def test_a_timer_runs_on_while_something_else_changes(self):
        self.change(**self.timed())
        self.systemd.log.clear()
        self.change(**self.timed() | dict(file=[conf("two"), *self.timed()["file"][1:]]))
        self.assertEqual(self.systemd.log, ["restart app.service"])

    def test_a_removed_timers_job_is_stopped(self):
        self.change(**self.timed())
        self.systemd.active.add("job.service")
        self.systemd.log.clear()
        self.assertEqual(self.change()["units"], {"job.timer": "stop", "job.service": "stop"})
        self.assertEqual(self.systemd.log, ["stop job.timer", "stop job.service", "disable job.timer", "daemon-reload"])
        self.assertEqual(self.systemd.active, {"app.service"})

    def test_a_dropped_unit_that_systemd_no_longer_knows_is_ignored(self):
        self.systemd.active.clear()
        self.systemd.unknown = {"app.service"}
        self.change(unit=[{"name": "new.service"}])
        self.assertEqual(self.systemd.active, {"new.service"})

    def test_a_reworded_manifest_runs_its_steps_and_makes_no_generation(self):
        answer = self.change(step=[shell("other", f"echo y >> {at('marks')}")])
        self.assertEqual((answer["generation"], answer["units"], self.systemd.log), (1, {}, []))
        self.assertEqual(live("marks"), "x\ny\n")
        self.assertIn("y >>", Release("app").text())

    def test_systemd_reloads_its_units_once_and_only_if_a_unit_file_changed(self):
        units = [file(f"etc/systemd/system/{name}.service", "[Unit]", "0644") for name in ("a", "b")]
        self.change(file=[conf(), *units])
        self.assertEqual(self.systemd.log.count("daemon-reload"), 1)
        self.change(file=[conf("two"), *units])
        self.assertEqual(self.systemd.log.count("daemon-reload"), 1)

    def test_tmpfiles_are_created_from_the_new_file(self):
        self.change(file=[file("etc/tmpfiles.d/app.conf", "d /run/app")])
        self.assertIn(f"tmpfiles {at('etc/tmpfiles.d/app.conf')}", self.systemd.log)

    def test_old_generations_are_pruned(self):
        for number in range(2, 9):
            self.change(file=[conf(str(number))])
        self.assertEqual(
            sorted(p.name for p in (STATE / "releases/app").iterdir()), ["4", "5", "6", "7", "8", "current"]
        )


class Pulls(HostTest):
    """Podman searches for logins in the home directory and in the runtime directory of an existing session."""

    def pulled(self, session: bool, works: str) -> list[tuple]:
        asked = []

        def run(words, *_, home="/", **__):
            asked.append((words[:2], home))
            return (0, "") if words[0] == works else (125, "unauthorized")

        self.patch(machine.process, "run", run)
        self.patch(
            machine.os.path, "exists", lambda path: session and path == f"/run/user/{os.geteuid()}/containers/auth.json"
        )
        self.patch(machine, "system", machine.System())
        self.patch(machine.system, "ask", lambda *_: "")
        wanted = support.manifest(image=[{"reference": "localhost:5000/app:1"}])
        apply.images.fetch(Release("app"), apply.load(wanted))
        return asked

    def test_with_persistent_logins(self):
        self.assertEqual(self.pulled(False, "podman"), [(("podman", "pull"), pwd.getpwuid(os.geteuid()).pw_dir)])
        self.assertEqual(len(self.pulled(True, "podman")), 1)

    def test_with_the_login_of_a_session(self):
        self.assertEqual(
            [words for words, _ in self.pulled(True, "env")],
            [("podman", "pull"), ("env", f"XDG_RUNTIME_DIR=/run/user/{os.geteuid()}")],
        )

    def test_without_a_login_the_error_names_the_remedy(self):
        for session in (False, True):
            self.refused(
                REFUSED,
                "image localhost:5000/app:1 cannot be pulled, nothing was changed:\n    unauthorized\nif localhost:5000 requires a login, set `registries`",
                call=partial(self.pulled, session, "none"),
            )


class Checks(HostTest):
    def test_a_check_sees_the_tree_with_the_changes_applied(self):
        self.apply(file=[file("etc/app/a", "a"), file("etc/app/old", "old")])
        wanted = [file("etc/app/a", "new"), file("etc/app/b", "b")]
        self.apply(
            file=wanted,
            check=[
                shell(
                    "look",
                    'test "$(cat {tree}/a {tree}/b; ls {tree})" = "newba\nb" && touch {scratch}/x',
                    tree=at("etc/app"),
                )
            ],
        )
        self.assertEqual(live("etc/app/a"), "new")

    def test_a_check_that_fails_leaves_everything_untouched(self):
        self.apply(file=[file("etc/app/a", "old", restarts=["app.service"])], unit=UNIT)
        folder = {"path": at("srv/app"), "mode": "0750", "owner": support.OWNER}
        before, log = (identities(), self.standing()), list(self.systemd.log)
        message = self.refused(
            REFUSED,
            "check syntax refuses",
            f"bad value in {at('etc/app')}/a",
            file=[file("etc/app/a", "bad", restarts=["app.service"])],
            unit=UNIT,
            directory=[folder],
            check=[shell("syntax", "echo bad value in {tree}/a; exit 1", tree=at("etc/app"))],
        )
        self.assertIn("nothing was changed", message)
        self.assertEqual(
            ((identities(), self.standing()), self.systemd.log, os.path.exists(at("srv"))), (before, log, False)
        )

    def test_a_check_of_another_tree_does_not_run(self):
        self.apply(file=[file("etc/app/a", "a")], check=[shell("other", "exit 1", tree=at("etc/other"))])
        self.assertEqual(live("etc/app/a"), "a")

    def test_a_server_must_come_up_with_the_new_files(self):
        def server(script):
            return [shell("server", script, tree=at("etc/app"), ready=["/bin/test", "-e", "{scratch}/up"])]

        self.apply(file=[file("etc/app/a", "a")], check=server("touch {scratch}/up; exec sleep 60"))
        self.refused(REFUSED, "cannot bind", file=[file("etc/app/a", "b")], check=server("echo cannot bind; exit 1"))
        self.assertEqual(live("etc/app/a"), "a")


if __name__ == "__main__":
    unittest.main()
