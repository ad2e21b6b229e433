"""Images that no kept generation needs are removed after a healthy apply, if gatehouse pulled them and nothing else uses
them."""

import unittest

from gatehouse.output.report import NOTHING_BEFORE, ROLLED_BACK
from gatehouse.release import apply, images, remove
from gatehouse.state.store import KEPT_GENERATIONS, Release
from gatehouse.system import machine
from tests import support
from tests.support import HostTest, file, shell

ENOUGH = KEPT_GENERATIONS + 1  # generations, after which the first one is no longer kept


class Images(HostTest):
    def setUp(self):
        super().setUp()
        self.units = support.TREE / "etc/containers/systemd"
        self.units.mkdir(parents=True)
        self.patch(images, "_UNITS", (str(self.units),))

    def run_through(self, first: int = 1, last: int = ENOUGH, release: str = "app", name: str = "app") -> None:
        for number in range(first, last + 1):
            quadlet = file(f"etc/{release}.container", f"Image={name}:{number}\n")
            self.apply(release=release, image=[{"reference": f"{name}:{number}"}], file=[quadlet])

    def test_one_is_removed_once_no_kept_generation_refers_to_it(self):
        self.run_through(last=KEPT_GENERATIONS)
        self.assertIn("app:1", self.systemd.images)
        self.run_through(first=ENOUGH)
        self.assertEqual(sorted(self.systemd.images), [f"app:{n}" for n in range(2, ENOUGH + 1)])
        self.assertIn("image app:1 is no longer needed and removed: 1.0 GiB\n", "".join(self.output))

    def test_one_of_a_release_that_was_removed_goes_with_the_next_apply_of_any(self):
        self.apply(image=[{"reference": "app:1"}])
        remove.remove("app", "shop/prod/app")
        self.assertIn("app:1", self.systemd.images)
        self.apply(release="other")
        self.assertEqual(self.systemd.images, {})

    def test_one_of_an_apply_that_failed_goes_with_the_next_healthy_one(self):
        self.apply(image=[{"reference": "app:1"}])
        self.refused(
            ROLLED_BACK, image=[{"reference": "app:2"}], step=[shell("no", "exit 1")], unit=[{"name": "a.service"}]
        )
        self.assertIn("app:2", self.systemd.images)
        self.apply(image=[{"reference": "app:1"}], deadline=2)
        self.assertEqual(list(self.systemd.images), ["app:1"])

    def test_one_that_was_there_before_stays(self):
        self.systemd.images["app:1"] = machine.Image("an operator's", 1)
        self.run_through()
        self.assertIn("app:1", self.systemd.images)
        self.assertNotIn("app:1", self.systemd.fetched)

    def test_one_that_another_release_keeps_stays(self):
        self.apply(release="other", image=[{"reference": "app:1"}])
        self.run_through()
        self.assertIn("app:1", self.systemd.images)

    def test_one_that_an_apply_under_way_needs_stays(self):
        self.run_through(last=KEPT_GENERATIONS)
        other = Release("other")
        other.folder.mkdir()
        images.fetch(other, apply.load(support.manifest(release="other", image=[{"reference": "app:1"}])))
        self.run_through(first=ENOUGH)
        self.assertIn("app:1", self.systemd.images)
        images.done(other)
        images.prune()
        self.assertNotIn("app:1", self.systemd.images)

    def test_a_failed_apply_needs_nothing_afterwards(self):
        self.refused(NOTHING_BEFORE, image=[{"reference": "app:1"}], step=[shell("no", "exit 1")])
        self.apply(release="other")
        self.assertEqual(self.systemd.images, {})

    def test_one_of_a_container_stays_by_its_name_or_by_its_id(self):
        for used in ("app:1", "id of app:1"):
            with self.subTest(used):
                self.systemd.in_containers = {used}
                self.run_through()
                self.assertIn("app:1", self.systemd.images)
                self.systemd.in_containers = set()
                images.prune()
                self.assertNotIn("app:1", self.systemd.images)
                self.run_through()

    def test_one_in_a_unit_of_an_operator_stays(self):
        (self.units / "other.container").write_text("[Container]\nImage=app:1\n")
        self.run_through()
        self.assertIn("app:1", self.systemd.images)
        (self.units / "other.container").write_text("[Container]\nImage=app:10\n")
        images.prune()
        self.assertNotIn("app:1", self.systemd.images)

    def test_one_in_a_unit_behind_symlinks_stays(self):
        elsewhere = support.ROOM / "opt"
        (elsewhere / "quadlets").mkdir(parents=True)
        unit = "[Container]\nImage=app:1\n"

        def linked_file():
            (elsewhere / "own.container").write_text(unit)
            (elsewhere / "link").symlink_to("own.container")
            (self.units / "own.container").symlink_to(elsewhere / "link")

        def linked_folder():
            (elsewhere / "quadlets/own.container").write_text(unit)
            (elsewhere / "quadlets/again").symlink_to(".")
            (self.units / "quadlets").symlink_to(elsewhere / "quadlets")

        def kube():
            (elsewhere / "pod.yaml").write_text("spec: {containers: [{image: app:1}]}\n")
            (self.units / "pod.kube").write_text(f"[Kube]\nYaml={elsewhere}/pod.yaml\n")

        for make in (linked_file, linked_folder, kube):
            with self.subTest(make.__name__):
                make()
                self.run_through()
                self.assertIn("app:1", self.systemd.images)
                for path in self.units.iterdir():
                    path.unlink()
                images.prune()
                self.assertNotIn("app:1", self.systemd.images)

    def test_links_that_lead_nowhere_and_masks_name_nothing(self):
        (self.units / "gone.container").symlink_to(support.ROOM / "nowhere")
        (self.units / "loop.container").symlink_to("loop.container")
        (self.units / "masked.service").symlink_to("/dev/null")
        self.run_through()
        self.assertNotIn("app:1", self.systemd.images)

    def test_a_unit_that_cannot_be_read_may_name_any_image(self):
        with open(self.units / "large.container", "wb") as large:
            large.truncate(65 << 20)
        self.run_through()
        self.assertIn("app:1", self.systemd.images)
        self.assertIn(f"no image is removed: {self.units}/large.container", "".join(self.output))
        (self.units / "large.container").unlink()
        images.prune()
        self.assertNotIn("app:1", self.systemd.images)

    def test_an_operator_may_write_it_in_another_form(self):
        named = images._named
        for reference, text in (
            ("ghcr.io/a/b:1", "Image=docker://ghcr.io/a/b:1"),
            ("docker.io/library/web:1", "Image=web:1"),
            ("docker.io/library/web:1", "ExecStart=podman run library/web:1 serve"),
            ("docker.io/a/b:1", "Image=a/b:1"),
        ):
            with self.subTest(text):
                self.assertTrue(named(reference, [text]))
        for reference, text in (
            ("ghcr.io/a/b:1", "Image=a/b:1"),
            ("ghcr.io/a/b:1", "Image=docker://ghcr.io/a/b:1.2"),
            ("docker.io/library/web:1", "Image=ghcr.io/web:1"),
            ("docker.io/a/b:1", "Image=ghcr.io/a/b:1"),
        ):
            with self.subTest(text):
                self.assertFalse(named(reference, [text]))

    def test_another_image_that_an_operator_gave_this_name_stays(self):
        self.run_through(last=KEPT_GENERATIONS)
        self.systemd.images["app:1"] = machine.Image("another", 1)
        self.run_through(first=ENOUGH)
        images.prune()
        self.assertIn("app:1", self.systemd.images)

    def test_one_that_podman_keeps_is_tried_again_and_the_release_is_healthy(self):
        self.patch(self.systemd, "remove_image", lambda reference: "Error: image is in use\n")
        self.run_through()
        self.assertIn(
            "image app:1 is no longer needed, but Podman keeps it: Error: image is in use", "".join(self.output)
        )
        self.patch(self.systemd, "remove_image", lambda reference: self.systemd.images.pop(reference) and None)
        self.run_through(first=ENOUGH)
        self.assertNotIn("app:1", self.systemd.images)

    def test_a_pull_that_was_killed_is_known_to_be_gatehouses(self):
        def killed(reference: str):
            self.systemd.images[reference] = machine.Image("half", 1)
            raise support.Killed

        with support.mock.patch.object(self.systemd, "pull", killed), self.assertRaises(support.Killed):
            self.apply(image=[{"reference": "app:1"}])
        self.apply(image=[{"reference": "app:2"}])
        self.assertEqual(list(self.systemd.images), ["app:2"])

    def test_the_overview_has_the_room_that_they_take(self):
        self.run_through(last=2)
        self.apply(release="other", image=[{"reference": "other:1"}])
        remove.remove("other", "shop/prod/other")
        self.assertEqual(
            [(image["reference"], image["size"], image["needed"]) for image in images.overview()],
            [("app:1", 1 << 30, "rollback"), ("app:2", 1 << 30, "live"), ("other:1", 1 << 30, "no")],
        )

    def test_without_podman_nothing_is_asked(self):
        self.patch(self.systemd, "images_of_containers", lambda: self.fail("it was asked"))
        self.apply()
        self.assertEqual(images.overview(), [])


if __name__ == "__main__":
    unittest.main()
