"""A release with failing probes is due even without other drift; an apply repairs it."""

import unittest

from gatehouse.cli import verify
from gatehouse.drift import facts
from gatehouse.health import probes, survey
from gatehouse.output.report import ROLLED_BACK_UNHEALTHY
from gatehouse.state import store
from gatehouse.system import process
from tests import support
from tests.support import HostTest, file, shell


class Unhealthy(HostTest):
    def setUp(self):
        super().setUp()
        self.ok = support.ROOM / "ok"
        self.ok.write_text("")
        self.keys = dict(
            unit=[{"name": "app.service"}, {"name": "side.service"}],
            probe=[shell("answers", f"test -e {self.ok} || {{ echo no; echo answer; exit 1; }}")],
        )
        self.given()
        self.systemd.log.clear()

    def given(self, due: str = "machine/0", **keys) -> dict:
        done = self.apply(**self.keys | keys)
        store.settle(f"release-{done['release']}", due, done)
        return done

    def item(self, release: str = "app") -> tuple[str, list[str]]:
        found = facts.facts()["items"][f"release-{release}"]
        return found["due"], found["drifted"]

    def recovers_by(self, act):
        """Has the service respond again once systemd runs this job."""
        self.ok.unlink(missing_ok=True)
        do = self.systemd.do
        self.patch(
            self.systemd,
            "do",
            lambda verb, unit="": (act == (verb, unit) and self.ok.write_text(""), do(verb, unit))[1],
        )

    def podman(self, cures: bool) -> list:
        """Returns Podman's commands; with `cures`, the service responds again after one of them."""
        ran, run = [], process.run

        def stand_in(argv, *rest, **more):
            if argv[0] != "podman":
                return run(argv, *rest, **more)
            ran.append(argv)
            if cures:
                self.ok.write_text("")
            return 0, ""

        self.patch(process, "run", stand_in)
        return ran

    def test_a_healthy_release_keeps_its_due_number_and_is_not_touched(self):
        self.assertEqual(self.item(), ("machine/0", []))
        self.given()
        self.assertEqual((self.systemd.log, store.Release("app").generation), ([], 1))

    def test_a_failing_probe_makes_the_release_due_and_is_reported_in_one_line(self):
        self.ok.unlink()
        self.assertEqual(self.item(), ("machine/1", ["probe answers: no answer"]))
        self.assertEqual(verify.verify()["items"]["release-app"], ["probe answers: no answer"])

    def test_a_probe_that_passes_within_its_time_is_no_difference(self):
        self.ok.unlink()
        self.patch(
            self.clock,
            "sleep",
            lambda seconds: (self.ok.write_text(""), setattr(self.clock, "now", self.clock.now + seconds)),
        )
        self.assertEqual(self.item(), ("machine/0", []))

    def test_all_probes_run_at_the_same_time(self):
        for name in ("second", "third"):
            self.given(release=name, unit=[{"name": f"{name}.service"}])
        self.ok.unlink()
        began = self.clock.now
        self.assertEqual([item["due"] for item in facts.facts()["items"].values()], ["machine/1"] * 3)
        self.assertLess(self.clock.now - began, 2 * probes.ANSWER)

    def test_an_inactive_unit_is_reported_instead_of_its_probes(self):
        self.ok.unlink()
        self.systemd.active.discard("side.service")
        self.assertEqual(self.item(), ("machine/1", ["side.service is not active"]))

    def test_output_of_a_secret_release_is_not_reported(self):
        self.given(
            release="pw",
            unit=[{"name": "pw.service"}],
            secret=True,
            probe=[shell("logs in", f"echo hunter2; test -e {self.ok}")],
        )
        self.ok.unlink()
        due, drifted = self.item("pw")
        self.assertEqual((due, len(drifted), "hunter2" in drifted[0]), ("machine/1", 1, False))

    def test_an_apply_restarts_the_release_once_and_it_is_healthy(self):
        self.recovers_by(("restart", "app.service"))
        self.given("machine/1")
        self.assertEqual(self.systemd.log, ["restart app.service", "restart side.service"])
        self.assertEqual(self.item(), ("machine/1", []))
        self.given("machine/1")
        self.assertEqual(len(self.systemd.log), 2)

    def test_a_release_that_a_restart_does_not_repair_is_an_error(self):
        self.ok.unlink()
        self.refused(ROLLED_BACK_UNHEALTHY, "probe answers: no", **self.keys)

    def test_a_reload_is_not_enough_for_an_unhealthy_release(self):
        keys = self.keys | {"file": [file("etc/app.conf", "1", reloads=["app.service"])]}
        self.apply(**keys)
        self.recovers_by(("restart", "app.service"))
        self.systemd.log.clear()
        keys["file"] = [file("etc/app.conf", "2", reloads=["app.service"])]
        self.apply(**keys)
        self.assertEqual(self.systemd.log, ["restart app.service", "restart side.service"])

    def test_podman_networks_are_reloaded_before_anything_is_restarted(self):
        self.patch(survey, "contains", lambda _: True)
        for cures, restarts in ((True, []), (False, ["restart app.service", "restart side.service"])):
            with self.subTest(cures=cures):
                ran = self.podman(cures)
                self.recovers_by(None if cures else ("restart", "app.service"))
                self.given("machine/1")
                self.assertEqual(ran, [("podman", "network", "reload", "--all")])
                self.assertEqual([line for line in self.systemd.log if not line.startswith("reset")], restarts)
                self.assertEqual(self.item(), ("machine/1", []))

    def test_without_containers_no_networks_are_reloaded(self):
        ran = self.podman(True)
        self.recovers_by(("restart", "app.service"))
        self.given("machine/1")
        self.assertEqual((ran, self.systemd.log[0]), ([], "restart app.service"))

    def test_a_unit_that_is_still_starting_gets_the_deadline_of_a_start(self):
        self.keys |= {"deadline": 20, "unit": [*self.keys["unit"], {"name": "third.service"}]}
        self.given()
        self.systemd.log.clear()
        started = self.clock.now

        def sleep(seconds):
            self.clock.now += seconds
            if self.clock.now - started > 12:
                self.ok.write_text("")

        self.ok.unlink()
        self.patch(self.clock, "sleep", sleep)
        self.given("machine/1")
        self.assertEqual(self.systemd.log, [])
        self.assertGreater(self.clock.now - started, 12)


class Through(HostTest):
    """A release without units; its probe goes through a unit of another release."""

    def test_an_apply_reloads_that_unit(self):
        ok = support.ROOM / "ok"
        ok.write_text("")
        self.systemd.active.add("front.service")
        keys = dict(
            release="site",
            file=[file("etc/site", "x", reloads=["front.service"])],
            probe=[shell("answers", f"test -e {ok}", through="front.service")],
        )
        self.apply(**keys)
        self.systemd.log.clear()
        do = self.systemd.do
        self.patch(self.systemd, "do", lambda verb, unit="": (ok.write_text(""), do(verb, unit))[1])
        self.apply(**keys)
        self.assertEqual(self.systemd.log, [], "it is well")
        ok.unlink()
        self.apply(**keys)
        self.assertEqual(self.systemd.log, ["reload front.service"])


if __name__ == "__main__":
    unittest.main()
