"""Dependents (units of other releases) are reloaded last, once the release itself is healthy."""

import unittest
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from gatehouse.output.report import NOT_ROLLED_BACK, NOTHING_BEFORE, ROLLED_BACK
from gatehouse.output.report import ROLLED_BACK_UNHEALTHY as UNHEALTHY
from gatehouse.release import apply
from gatehouse.state.store import Release
from gatehouse.system import jobs
from tests import support
from tests.support import HostTest, Killed, at, file, live, shell

OWN, FRONT = "app.service", "front.service"


class Notifying(HostTest):
    def setUp(self):
        super().setUp()
        site = Path(at("etc/app.site"))  # exists already, so that the front can always read it
        site.parent.mkdir()
        site.write_text("none")
        self.systemd.reads[FRONT] = str(site)
        self.systemd.do("start", FRONT)
        self.systemd.log.clear()

    def keys(self, word: str, **keys) -> dict:
        """An app with a site file that the front reads. One probe checks the app itself, the other the site through the
        front."""
        log = at("order")
        return (
            dict(
                file=[file("etc/app.conf", word, restarts=[OWN]), file("etc/app.site", word, reloads=[FRONT])],
                unit=[{"name": OWN}],
                step=[shell("step", f"echo step >> {log}")],
                probe=[
                    shell("site", f"echo site >> {log}", through=FRONT),
                    shell("app", f"test ! -e {at('unhealthy')} && echo app >> {log}"),
                ],
            )
            | keys
        )

    def order(self) -> list[str]:
        """The steps and probes that have run so far."""
        return live("order").split() if Path(at("order")).exists() else []

    def of_front(self) -> list[str]:
        return [line for line in self.systemd.log if FRONT in line]

    def test_a_dependent_is_reloaded_after_units_steps_and_own_probes(self):
        jobs_seen = []
        self.patch(
            self.systemd,
            "do",
            lambda verb, unit="", do=self.systemd.do: jobs_seen.append((verb, unit, self.order())) or do(verb, unit),
        )
        answer = self.apply(**self.keys("one"))
        self.assertEqual(jobs_seen, [("restart", OWN, []), ("reload", FRONT, ["step", "app"])])
        self.assertEqual(self.order(), ["step", "app", "site"])
        self.assertEqual(answer["units"], {OWN: "restart", FRONT: "reload"})
        self.assertEqual(self.systemd.loaded[FRONT], b"one")

    def test_a_change_that_does_not_concern_a_dependent_does_not_depend_on_it(self):
        self.apply(**self.keys("one"))
        Path(at("order")).unlink()
        self.systemd.do("stop", FRONT)
        self.apply(
            **self.keys("one")
            | {"file": [file("etc/app.conf", "two", restarts=[OWN]), file("etc/app.site", "one", reloads=[FRONT])]}
        )
        self.assertEqual(self.order(), ["step", "app"])
        self.assertNotIn(FRONT, self.systemd.active)

    def test_the_files_of_a_dependent_can_change_while_the_release_is_unhealthy(self):
        self.apply(**self.keys("one"))
        Path(at("unhealthy")).touch()
        self.apply(**self.closed())
        self.assertEqual(self.systemd.loaded[FRONT], b"closed")
        self.refused(UNHEALTHY, "probe app", **self.keys("two"))

    def closed(self, **keys) -> dict:
        """A manifest with another site for the same app."""
        return (
            self.keys(
                "one",
                file=[file("etc/app.conf", "one", restarts=[OWN]), file("etc/app.site", "closed", reloads=[FRONT])],
            )
            | keys
        )

    def test_a_release_that_changes_an_own_unit_is_always_probed(self):
        files = self.closed()["file"]
        for what, before, after, meanwhile in (
            ("start", {}, {}, lambda: self.systemd.active.discard(OWN)),
            ("stop", {"unit": [{"name": OWN}, {"name": "more.service"}]}, {}, lambda: None),
            ("reload", {}, {"file": [*files, file("etc/key", "key", reloads=[OWN])]}, lambda: None),
            ("another probe", {}, {"probe": [shell("other", "false")]}, lambda: None),
            ("another step", {}, {"step": []}, lambda: None),
        ):
            with self.subTest(what):
                self.doCleanups()
                self.setUp()
                self.apply(**self.keys("one", **before))
                Path(at("unhealthy")).touch()
                meanwhile()
                self.refused(UNHEALTHY, "not healthy", **self.closed(**after))
                self.assertEqual(self.systemd.loaded[FRONT], b"one")

    def test_a_release_that_was_never_healthy_is_probed(self):
        def image(n):
            return dict(
                image=[{"reference": f"app:{n}"}],
                guard=[dict(name="data", units=[OWN], save=["true"], restore=["false"])],
            )

        self.apply(**self.keys("one", **image(1)))
        Path(at("unhealthy")).touch()
        self.refused(NOT_ROLLED_BACK, **self.keys("one", **image(2)))
        self.refused(UNHEALTHY, "probe app", **self.closed(**image(2)))
        self.assertTrue(Release("app").unproven)

    def test_an_unhealthy_release_notifies_no_dependent(self):
        self.systemd.unknown = {"dead.service"}
        for broken in (
            dict(probe=[shell("app", "false")]),
            dict(step=[shell("step", "false")]),
            dict(unit=[{"name": OWN}, {"name": "dead.service"}]),
        ):
            self.refused(NOTHING_BEFORE, **self.keys("one", **{"probe": []} | broken))
            self.assertEqual(self.of_front(), [])
            self.assertIn(FRONT, self.systemd.active)

    def test_a_site_that_does_not_answer_is_removed_again(self):
        self.apply(**self.keys("one"))
        self.systemd.log.clear()
        self.refused(
            ROLLED_BACK,
            "probe site",
            **self.keys("two", probe=[shell("site", f"grep -q one {at('etc/app.site')}", through=FRONT)]),
        )
        self.assertEqual(self.of_front(), [f"reload {FRONT}"] * 2)
        self.assertEqual(self.systemd.loaded[FRONT], b"one")

    def test_a_dependent_reloaded_for_another_release_is_reloaded_in_the_rollback_too(self):
        notified = []

        def another(_):
            notified or notified.append(self.systemd.do("reload", FRONT))
            return "broken"

        self.apply(**self.keys("one"))
        self.patch(apply.probes, "ask", another)
        self.refused(UNHEALTHY, "broken", **self.keys("two"))
        self.assertEqual(self.systemd.loaded[FRONT], b"one")

    def test_an_inactive_dependent_is_neither_started_nor_stopped(self):
        self.systemd.do("stop", FRONT)
        self.systemd.log.clear()
        self.apply(**self.keys("one"))
        self.assertEqual((self.of_front(), self.order()), ([], ["step", "app"]))
        self.refused(
            ROLLED_BACK,
            "step",
            **self.keys("two", step=[shell("step", "false")], probe=[shell("site", "false", through=FRONT)]),
        )
        self.assertEqual(self.of_front(), [])

    def test_a_site_that_does_not_answer_after_the_rollback_is_reported(self):
        self.apply(**self.keys("one", probe=[shell("site", f"test ! -e {at('unhealthy')}", through=FRONT)]))
        Path(at("unhealthy")).touch()
        self.refused(
            UNHEALTHY,
            "probe site",
            **self.keys("two", probe=[shell("site", f"test ! -e {at('unhealthy')}", through=FRONT)]),
        )

    def test_a_rollback_skips_untouched_dependents_and_accepts_stopped_ones(self):
        other = "other.service"
        self.systemd.do("start", other)
        more = lambda word: {"file": [*self.keys(word)["file"], file("etc/other", word, reloads=[other])]}  # noqa: E731
        self.apply(**self.keys("one", **more("one")))
        self.systemd.log.clear()
        with mock.patch.object(
            apply,
            "_step",
            lambda *given: self.systemd.do("reload", other) and self.systemd.do("stop", FRONT) and self.fail_step(),
        ):
            self.refused(ROLLED_BACK, "broken", **self.keys("two", **more("two")))
        self.assertEqual(
            [line for line in self.systemd.log if OWN not in line],
            [f"reload {other}", f"stop {FRONT}", f"reload {other}"],
        )

    def fail_step(self):
        raise support.report.Failure("broken")

    def test_a_dependent_has_its_own_deadline_in_a_rollback_too(self):
        self.apply(**self.keys("one"))
        left = []
        self.patch(
            jobs,
            "run",
            lambda verb, names, deadline=0, run=jobs.run: (
                left.append(deadline - self.clock.now) if verb == "reload" and names else None,
                run(verb, names, deadline),
            ),
        )
        self.patch(apply.probes, "ask", lambda probe: self.clock.sleep(0.4) or "unhealthy")
        self.refused(UNHEALTHY, **self.keys("two"))
        self.patch(apply.probes, "ask", lambda probe: None if probe.name == "app" else "unhealthy")
        self.refused(UNHEALTHY, **self.keys("two"))
        self.assertEqual(left, [1, 1])

    def test_a_dependent_started_meanwhile_is_notified_and_keeps_running_in_a_rollback(self):
        self.apply(**self.keys("one"))
        for fails in (
            dict(step=[shell("step", "false")]),
            dict(probe=[shell("site", f"grep -q one {at('etc/app.site')}", through=FRONT)]),
        ):
            self.systemd.do("stop", FRONT)
            with mock.patch.object(
                apply, "_step", lambda *given, step=apply._step: (self.systemd.do("start", FRONT), step(*given))
            ):
                self.refused(ROLLED_BACK, **self.keys("two", **fails))
            self.assertEqual((FRONT in self.systemd.active, self.systemd.loaded.get(FRONT)), (True, b"one"))

    def test_a_dependent_has_its_own_deadline(self):
        """The app becomes healthy after 0.9 s of its deadline of 1 s, the front 0.6 s later."""
        self.patch(
            apply.probes,
            "ask",
            lambda probe: None if self.clock.now >= {"app": 0.9, "site": 1.5}[probe.name] else "not yet",
        )
        self.apply(**self.keys("one"))
        self.assertEqual(self.systemd.loaded[FRONT], b"one")

    def test_the_journal_of_a_dependent_is_shown_only_if_it_was_notified(self):
        shown = []
        self.patch(support.systemd, "journal", lambda unit, *_: shown.append(unit) or "")
        self.refused(NOTHING_BEFORE, **self.keys("one", probe=[shell("app", "false")]))
        self.refused(NOTHING_BEFORE, **self.keys("one", probe=[shell("site", "false", through=FRONT)]))
        self.assertEqual(shown, [OWN, OWN, FRONT])

    def test_after_a_kill_before_or_after_the_notification_a_rollback_restores_the_state(self):
        def image(n):
            return dict(
                image=[{"reference": f"app:{n}"}],
                guard=[
                    dict(
                        name="data",
                        units=[OWN],
                        save=["true"],
                        restore=["/bin/sh", "-c", f"echo restored >> {at('order')}"],
                    )
                ],
            )

        self.apply(**self.keys("one", **image(1)))
        before = self.standing()
        for point in ("stepped", "notified"):
            with self.killed_at(point):
                self.apply(**self.keys("two", **image(2), step=[shell("step", "true")]))
            Path(at("order")).unlink(missing_ok=True)
            apply.undo.resolve(Release("app"))
            self.assertEqual(self.order().count("restored"), 1, point)
            Path(at("order")).write_bytes(before[0]["order"][0])
            self.assertEqual(self.standing(), before)

    def test_after_a_power_cut_a_dependent_starts_with_the_restored_files(self):
        self.apply(**self.keys("one"))
        with self.killed_at("notified"):
            self.apply(**self.keys("two"))
        self.systemd.do("stop", OWN)
        self.systemd.do("stop", FRONT)
        apply.undo.prepare(Release("app"))
        self.systemd.do("start", FRONT)
        apply.undo.resolve(Release("app"))
        self.assertEqual((self.systemd.loaded[FRONT], OWN in self.systemd.active), (b"one", True))

    @contextmanager
    def killed_at(self, point: str):
        def kill(name: str):
            if name == point:
                raise Killed

        with mock.patch.object(apply.failpoints, "point", kill), self.assertRaises(Killed):
            yield

    def test_a_release_that_cannot_be_rolled_back_notifies_dependents_of_the_new_files(self):
        def image(n):
            return dict(
                image=[{"reference": f"app:{n}"}],
                guard=[dict(name="data", units=[OWN], save=["true"], restore=["false"])],
            )

        self.apply(**self.keys("one", **image(1)))
        self.refused(NOT_ROLLED_BACK, **self.keys("two", **image(2), probe=[shell("app", "false")]))
        self.assertEqual(self.systemd.loaded[FRONT], b"two")


if __name__ == "__main__":
    unittest.main()
