"""`gatehouse verify`: drift and unmanaged files. Exits with 0 if there are none, and with 3 otherwise."""

import json
import os
import shutil
import socket
import unittest
from pathlib import Path

from gatehouse.drift import unmanaged
from tests import support
from tests.support import OWNER, at, file, secret
from tests.verbs import VerbTest


class Verify(VerbTest):
    def setUp(self):
        super().setUp()
        self.units, self.quadlets = Path(at("etc/systemd/system")), Path(at("etc/containers/systemd"))
        self.patch(support.apply.checks, "run", lambda *_: None)
        self.keys = dict(
            file=[
                file("etc/systemd/system/app.service.d/gatehouse.conf", "[Service]\n"),
                file("etc/containers/systemd/app.container", "[Container]\n"),
            ],
            unit=[{"name": "app.service"}, {"name": "base@main.service"}],
        )
        self.given(**self.keys)

    def differs(self, *words: str) -> dict:
        self.shows(3, *words, argv=("verify",))
        return self.answers(3, "verify")

    def clean(self):
        self.shows(0, "in sync: ", argv=("verify",))
        self.assertEqual(self.answers(0, "verify")["in_sync"], True)

    def test_a_host_without_drift_is_in_sync(self):
        self.clean()
        self.assertEqual(self.answers(0, "verify"), {"in_sync": True, "items": {"release-app": []}, "unexpected": []})

    def test_a_file_that_the_reader_of_its_directory_cannot_read_is_named_with_the_remedy(self):
        certs = Path(at("var/certs"))
        self.given(**self.keys, directory=[{"path": str(certs), "mode": "0755", "owner": OWNER, "reader": "nobody"}])
        (certs / "auth.pem").write_text("certificate")
        (certs / "auth.key").write_text("key")
        (certs / "closed").mkdir(0o700)
        self.reachable(certs)
        self.clean_but(certs / "closed")
        os.chmod(certs / "auth.key", 0o600)
        (certs / "closed/inner.key").write_text("key")
        self.clean_but(certs / "closed", certs / "auth.key")
        self.shows(3, f"{certs}/auth.key is 600 ", "nobody cannot read it: chgrp nobody", argv=("verify",))
        os.chmod(certs / "auth.key", 0o644)
        os.chmod(certs / "closed", 0o755)
        (certs / "same.key").symlink_to("closed/inner.key")
        self.clean()
        for name, target in (("live", "/etc/letsencrypt/live/corp"), ("etc.pem", "/etc/passwd"), ("up.pem", "../../x")):
            (certs / name).symlink_to(target)
            self.shows(3, f"{certs}/{name} is a link to {target}, ", "copy the file itself there", argv=("verify",))
            (certs / name).unlink()
        self.clean()

    def reachable(self, path: Path) -> None:
        """Lets every account search the directories above a path, until the end of the test."""
        for above in path.parents:
            mode = above.stat().st_mode & 0o7777
            if not mode & 0o001:
                self.addCleanup(os.chmod, above, mode)
                os.chmod(above, mode | 0o001)

    def clean_but(self, *paths: Path) -> None:
        found = self.answers(3, "verify")["items"]["release-app"]
        self.assertEqual([line.split(" ")[0] for line in found], sorted(map(str, paths)))

    def test_each_difference_is_a_line(self):
        os.chmod(self.quadlets / "app.container", 0o600)
        self.systemd.active.clear()
        found = self.differs(
            "ITEM         DIFFERENCE\n",
            f"release app  {self.quadlets}/app.container: mode or owner",
            "release app  app.service is not active\n",
        )
        self.assertEqual(len(found["items"]["release-app"]), 3)

    def test_a_secret_is_compared_and_not_printed(self):
        self.given(release="pw", secret=True, file=[secret("pw", "secret-one")])
        self.clean()
        path = support.STATE / "secrets/pw/1/password"
        path.chmod(0o600)
        path.write_text("secret-two")
        path.chmod(0o400)
        self.assertNotIn(
            "secret-", str(self.differs(f"{path}: the content was changed by hand")).replace("secret-s", "")
        )

    def test_unmanaged_files(self):
        for path, item in (
            (self.quadlets / "unmanaged.container", None),
            (self.quadlets / "app.container.d/10.conf", "release-app"),
            (self.units / "app.service.d/override.conf", "release-app"),
            (self.units / "base@.service.d/o.conf", None),
            (Path(at("run/systemd/system/base@main.service.d/o.conf")), "release-app"),
        ):
            with self.subTest(path=path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("")
                found, expected = self.differs(f"  {path} belongs to no release"), [f"{path} belongs to no release"]
                self.assertEqual(found["items"][item] if item else found["unexpected"], expected)
                self.assertEqual(found["unexpected"] if item else found["items"]["release-app"], [])
                path.unlink()
                self.clean()

    def test_files_of_units_outside_gatehouse_are_ignored(self):
        (self.units / "other.service.d").mkdir()
        (self.units / "other.service.d/override.conf").write_text("")
        (self.units / "other.service").write_text("")
        self.clean()

    # ------------------------------------------------------------ images

    def containers(self, image: str = "example/app:1", image_id: str = "one", **keys) -> None:
        self.given(**self.keys | {"image": [{"reference": "example/app:1"}]})
        running = [
            {
                "Name": "app",
                "ImageName": image,
                "Image": image_id,
                "Config": {"Labels": {"PODMAN_SYSTEMD_UNIT": "app.service"}},
            }
            | keys
        ]
        answers = {"container": running, "image": [{"Id": "one"}]}
        self.patch(unmanaged, "_inspected", lambda kind, *_: json.dumps(answers[kind]))
        self.patch(unmanaged, "_running", lambda: ["app"])
        self.patch(shutil, "which", lambda _: "/usr/bin/podman")

    def test_a_container_that_runs_the_manifests_image(self):
        self.containers()
        self.clean()

    def test_a_container_that_runs_another_image(self):
        self.containers("example/app:2", "two")
        self.differs("release app  container app runs example/app:2, the manifest says example/app:1")

    def test_a_container_that_runs_an_older_image_of_that_name(self):
        self.containers(image_id="zero")
        self.differs("container app does not run the image that example/app:1 refers to now")

    def test_infra_containers_and_containers_of_other_units_are_ignored(self):
        self.containers("pause", "pause", IsInfra=True)
        self.clean()
        self.containers("theirs", "theirs", Config={"Labels": None})
        self.clean()

    def test_without_podman_no_images_are_checked(self):
        self.containers("example/app:2", "two")
        self.patch(shutil, "which", lambda _: None)
        self.clean()

    # ------------------------------------------------------------ runtime directories

    def test_runtime_directories_and_the_sockets_in_them(self):
        self.patch(unmanaged, "RUN", str(support.ROOM))
        folder = support.ROOM / "run"
        shutil.rmtree(folder, ignore_errors=True)
        gid = os.getgid()
        self.given(
            release="db", file=[file("etc/tmpfiles.d/db.conf", f"# ours\nd {folder} 2770 {os.getuid()} {gid} - -\n")]
        )
        self.differs(f"release db  {folder} is missing")
        folder.mkdir()
        folder.chmod(0o2770)
        self.clean()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(folder / "s"))
            os.chmod(folder / "s", 0o770)
            self.clean()
            os.chmod(folder / "s", 0o777)
            self.differs(f"{folder}/s is 0777 of group {gid}, it should be 0770 of group {gid}")
            os.chmod(folder / "s", 0o770)
        folder.chmod(0o2777)
        self.differs(f"{folder} is 2777 {os.getuid()}:{gid}, the manifest says 2770")

    def test_the_runtime_directory_of_a_unit(self):
        Path(at("run/app")).mkdir(parents=True)
        self.patch(unmanaged, "RUN", at("run"))
        self.systemd.houses["app.service"] = "app"
        self.given(
            **self.keys
            | {
                "file": [
                    file("etc/systemd/system/app.service.d/gatehouse.conf", "[Service]\nRuntimeDirectoryMode=0700\n"),
                    self.keys["file"][1],
                ]
            }
        )
        os.chmod(at("run/app"), 0o700)
        os.chown(at("run/app"), 0, 0)
        self.clean()
        os.chmod(at("run/app"), 0o755)
        self.differs(f"{at('run/app')} is 0755 0:0, the manifest says 0700 root:-")

    def test_a_folder_that_a_unit_opens_to_clients(self):
        self.patch(unmanaged, "RUN", str(support.ROOM))
        folder, gid = support.ROOM / "sockets", os.getgid()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        content = f"[Service]\nExecStartPre=+/x/db-socket-folder close {folder} {os.getuid()}:{gid}\nExecStartPost=+/x/db-socket-folder open {folder} {os.getuid()}:{gid} s\n"
        self.given(
            **self.keys
            | {"file": [file("etc/systemd/system/app.service.d/gatehouse.conf", content), self.keys["file"][1]]}
        )
        folder.chmod(0o3750)
        self.differs(f"{folder} is 3750 {os.getuid()}:{gid}, the manifest says 3770")
        folder.chmod(0o3770)
        self.clean()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(folder / "s"))
            os.chmod(folder / "s", 0o755)
            self.differs(f"{folder}/s is 0755 of group {gid}, it should be 0770 of group {gid}")
            if os.getuid() == 0:  # sockets of clients are not drift, since a restart would not correct them
                os.chown(folder / "s", 12345, gid)
                self.clean()
                os.chown(folder / "s", 0, gid)
            os.chmod(folder / "s", 0o770)
            self.clean()
        manifest = support.store.Release(self.keys.get("release", "app")).manifest()
        self.patch(unmanaged.systemd, "inactive", lambda names: names)
        self.assertEqual(
            list(map(str, unmanaged.modes_of(manifest))),
            [f"{folder} is 3770 {os.getuid()}:{gid}, the manifest says 3750 {os.getuid()}:{gid}"],
        )
        folder.chmod(0o3750)
        self.assertEqual(unmanaged.modes_of(manifest), [])

    def test_a_template_has_no_runtime_directory_and_its_instances_have(self):
        content = "[Service]\nRuntimeDirectoryMode=0700\n"
        paths = ("app@.service", "app@.service.d/x.conf", "app@one.service.d/x.conf", "app.service.d/x.conf")
        files = [file(f"etc/systemd/system/{path}", content) for path in paths]
        self.given(**self.keys | {"file": [*files, self.keys["file"][1]]})
        manifest = support.store.Release(self.keys.get("release", "app")).manifest()
        self.assertEqual(unmanaged.housed([manifest]), ["app@one.service", "app.service"])


if __name__ == "__main__":
    unittest.main()
