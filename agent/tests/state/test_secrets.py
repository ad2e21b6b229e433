"""Secrets have versions: a new one is added beside the old one, which is deleted with its last user."""

import unittest

from gatehouse.drift import facts
from gatehouse.output.report import ROLLED_BACK
from gatehouse.protocol import manifest
from gatehouse.release import remove
from gatehouse.state import secrets as vault
from gatehouse.state import store
from gatehouse.tree import files
from tests import support
from tests.support import STATE, HostTest, file, live, secret, shell

FOLDER = STATE / "secrets"


class SecretsTest(HostTest):
    def secrets(self, content: str, rotation: str, release: str = "pw", **keys) -> dict:
        return self.apply(
            release=release, secret=True, gives=["app", "cache"], file=[secret(release, content, rotation)], **keys
        )

    def merged(self, *names: str) -> str:
        content = " ".join(f"{{{{secrets {name}}}}}" for name in names)
        loaded = manifest.load(support.manifest(file=[file("etc/users.acl", content, secrets=list(names))]))
        return vault.merged(loaded.file[0], loaded)

    def generations(self, release: str = "pw") -> dict[str, str]:
        return {path.parent.name: path.read_text() for path in sorted((FOLDER / release).glob("*/password"))}


class Owners(SecretsTest):
    def takes(self, name: str, path: str = "etc/users.acl") -> list[dict]:
        return [file(path, f"user a {{{{secrets {name}}}}}", secrets=[name])]

    def test_a_secret_is_merged_in_the_same_stack_and_refused_in_another(self):
        self.secrets("secret-one", "1")
        self.apply(file=self.takes("pw/password"))
        self.assertEqual(live("etc/users.acl"), "user a secret-one")
        for owner in ("shop/test/app", "other/prod/app"):
            for name in ("pw/password", "pw/1/password"):
                message = self.refused(
                    1,
                    "release pw on this host belongs to shop/prod/pw",
                    "nothing was changed",
                    release="thief",
                    owner=owner,
                    file=self.takes(name, "etc/stolen"),
                )
                self.assertNotIn("secret-one", message)
        self.assertNotIn("etc/stolen", support.tree())

    def test_a_secret_is_refused_for_a_release_that_it_is_not_given_to(self):
        self.secrets("secret-one", "1")
        for name in ("pw/password", "pw/1/password"):
            message = self.refused(
                1,
                f"secret {name} is not given to release thief: release pw gives its secrets to app, cache",
                "nothing was changed",
                release="thief",
                file=self.takes(name, "etc/stolen"),
            )
            self.assertNotIn("secret-one", message)
        self.assertNotIn("etc/stolen", support.tree())

    def test_a_secret_that_is_no_longer_given_is_refused_at_the_next_apply_of_its_users(self):
        self.secrets("secret-one", "1")
        self.apply(file=self.takes("pw/password"))
        self.apply(release="pw", secret=True, file=[secret("pw", "secret-one", "1")])
        self.refused(
            1,
            "secret pw/password is not given to release app: release pw gives its secrets to none",
            file=self.takes("pw/password"),
            deadline=2,
        )

    def test_secrets_without_a_release_are_not_merged(self):
        files.put(f"{FOLDER}/left/1/password", files.Content(b"secret-left", 0o400, 0, 0))
        self.refused(1, "secret left/password is not on this host", file=self.takes("left/password", "etc/stolen"))

    def test_folders_of_another_stacks_secrets_are_not_kept(self):
        self.secrets("secret-one", "1")
        self.refused(
            1,
            "release pw on this host belongs to shop/prod/pw",
            release="other",
            owner="shop/test/other",
            refers=[f"{FOLDER}/pw/1"],
        )
        for folder in (
            "/etc/shadow",
            f"{FOLDER}/pw",
            f"{FOLDER}/pw/one",
            f"{FOLDER}/pw/1/password",
            f"{FOLDER}/../pw/1",
        ):
            self.refused(1, f"refers: '{folder}' is not a folder of secrets", refers=[folder])


class Literally(SecretsTest):
    """Text that looks like a placeholder for a secret is kept as text, in every file."""

    def test_in_a_file_that_names_no_secret(self):
        self.secrets("secret-one", "1")
        text = "{{secrets pw/password}} {{secrets pw/1/password}} {{secrets pw/1/..}} {{secrets nobody/password}} {{generation}} {generation}"
        self.apply(file=[file("etc/app.conf", text), *Owners.takes(self, "pw/password")], refers=[f"{FOLDER}/pw/1"])
        self.assertEqual((live("etc/app.conf"), live("etc/users.acl")), (text, "user a secret-one"))
        self.assertEqual(facts.of_release(store.Release("app"), set()), [])

    def test_in_an_own_secret_and_in_a_merged_one(self):
        self.secrets("{{secrets pw/key}}", "1")
        self.apply(file=Owners.takes(self, "pw/password"))
        self.assertEqual(live("etc/users.acl"), "user a {{secrets pw/key}}")

    def test_an_unlisted_placeholder_is_refused_in_a_file_that_lists_others(self):
        self.secrets("secret-one", "1")
        for content, names in (
            ("{{secrets pw/password}} {{secrets pw/key}}", ["pw/password"]),
            ("{{secrets pw/key}}", ["pw/password"]),
            ("none", ["pw/password"]),
            ("{{secrets pw/password}} {{secrets pw/password}}", ["pw/password"]),
        ):
            self.refused(
                1,
                "secrets must list the placeholders in the content",
                file=[file("etc/app.conf", content, secrets=names)],
            )
        self.refused(
            1,
            "secrets: 'pw/1/..' is not RELEASE/FILE",
            file=[file("etc/app.conf", "{{secrets pw/1/..}}", secrets=["pw/1/.."])],
        )
        self.apply(
            file=[
                file(
                    "etc/app.conf",
                    "{{secrets pw/password}} {{secrets pw/1/password}}",
                    secrets=["pw/password", "pw/1/password"],
                )
            ]
        )
        self.assertEqual(live("etc/app.conf"), "secret-one secret-one")

    def test_text_that_mentions_a_folder_of_secrets_does_not_keep_it(self):
        self.secrets("secret-one", "1")
        self.apply(file=[file("etc/app.conf", f"see {FOLDER}/pw/1/password and {{{{secrets pw/password}}}}")])
        self.secrets("secret-two", "2")
        self.assertEqual(self.generations(), {"2": "secret-two"})
        self.assertIn(f"{FOLDER}/pw/1", live("etc/app.conf"))


class Generations(SecretsTest):
    def test_each_rotation_has_its_own_folder(self):
        self.assertEqual(self.secrets("secret-one", "1")["generation"], 1)
        self.apply(refers=[f"{FOLDER}/pw/1"])
        self.assertEqual(self.secrets("secret-two", "2")["generation"], 2)
        self.assertEqual(self.generations(), {"1": "secret-one", "2": "secret-two"})

    def test_without_a_rotation_the_host_keeps_its_secret(self):
        # The program lost its state and generated new passwords; the host's passwords are adopted.
        self.secrets("secret-one", "1")
        answer = self.secrets("secret-new", "1")
        self.assertEqual((answer["generation"], answer["changed"]), (1, []))
        self.assertEqual(self.generations(), {"1": "secret-one"})
        self.secrets("secret-new", "2")
        self.assertEqual(self.generations()["2"], "secret-new")

    def test_a_kept_secret_is_copied_when_another_one_rotates(self):
        pair = [secret("pw", "secret-one", "1"), secret("pw", "key-one", "1", "key")]
        self.apply(release="pw", secret=True, file=pair)
        self.apply(
            release="pw", secret=True, file=[secret("pw", "secret-new", "1"), secret("pw", "key-two", "2", "key")]
        )
        self.assertEqual(
            [(FOLDER / "pw/2" / name).read_text() for name in ("password", "key")], ["secret-one", "key-two"]
        )

    def test_a_manually_changed_or_deleted_secret_is_restored(self):
        self.secrets("secret-one", "1")
        self.damage_and_repair("secret-one", 1)

    def test_a_manually_changed_secret_is_not_merged_into_files(self):
        self.secrets("secret-one", "1")
        users = dict(file=Owners.takes(self, "pw/password"))
        self.apply(**users, refers=[f"{FOLDER}/pw/1"])
        for junk in (b"two words\nand more", b"\xff\xfe"):
            path = max((FOLDER / "pw").glob("*/password"), key=lambda path: int(path.parent.name))
            path.chmod(0o600)
            path.write_bytes(junk)
            generation = self.secrets("secret-one", "1")["generation"]
            self.apply(**users, refers=[f"{FOLDER}/pw/{generation}"])
            self.assertEqual(set(live("etc/users.acl").split()), {"user", "a", "secret-one"})

    def test_a_secret_kept_by_the_host_is_restored_too(self):
        self.secrets("secret-one", "1")
        self.secrets("secret-new", "1")
        self.secrets("secret-newer", "1", step=[shell("something new", "true")])
        self.damage_and_repair("secret-newer", 1)

    def damage_and_repair(self, given: str, generation: int):
        def alter(path):
            path.chmod(0o600)
            path.write_text("by hand")
            path.chmod(0o400)

        for damage in (alter, lambda path: path.unlink()):
            store.settle("release-pw", "machine/0", {})
            damage(FOLDER / f"pw/{generation}/password")
            self.assertEqual(len(facts.facts()["items"]["release-pw"]["drifted"]), 1)
            generation += 1
            self.assertEqual(self.secrets(given, "1")["generation"], generation)
            self.assertEqual(self.generations(), {str(generation): "secret-one"})
            self.assertEqual(facts.facts()["items"]["release-pw"]["drifted"], [])
            self.assertEqual(self.secrets(given, "1")["changed"], [])

    def test_the_version_changes_only_together_with_the_folder(self):
        self.secrets("secret-one", "1", unit=[{"name": "app.service"}])
        self.systemd.active.clear()
        answer = self.secrets("secret-one", "1", unit=[{"name": "app.service"}])
        self.assertEqual(answer["units"], {"app.service": "start"})
        self.assertEqual(self.generations(), {str(answer["generation"]): "secret-one"})


class Pruning(SecretsTest):
    def use(self, generation: int, release: str = "app"):
        self.apply(release=release, refers=[f"{FOLDER}/pw/{generation}"])

    def test_an_old_version_stays_while_it_is_referred_to(self):
        self.secrets("secret-one", "1")
        self.use(1)
        self.use(1, "other")
        self.secrets("secret-two", "2")
        self.use(2)
        self.assertEqual(sorted(self.generations()), ["1", "2"])
        self.use(2, "other")
        self.assertEqual(sorted(self.generations()), ["2"])

    def test_the_newest_version_stays_even_without_references(self):
        self.secrets("secret-one", "1")
        self.secrets("secret-two", "2")
        self.assertEqual(self.generations(), {"2": "secret-two"})

    def test_generation_1_is_not_kept_by_a_reference_to_12(self):
        for number in range(1, 14):
            self.apply(release="anchor", refers=[f"{FOLDER}/pw/1", f"{FOLDER}/pw/12"])
            self.secrets(f"secret-{number}", str(number))
        self.assertEqual(sorted(self.generations()), ["1", "12", "13"])
        self.apply(release="anchor", refers=[f"{FOLDER}/pw/12"])
        self.assertEqual(sorted(self.generations()), ["12", "13"])

    def test_a_failed_rotation_keeps_the_working_secret(self):
        self.secrets("secret-one", "1")
        self.refused(
            ROLLED_BACK,
            "step no failed",
            release="pw",
            secret=True,
            file=[secret("pw", "secret-two", "2")],
            step=[shell("no", "exit 1")],
        )
        self.apply(release="bystander", file=[file("etc/bystander", "x")])
        self.assertEqual(self.generations(), {"1": "secret-one"})


class Merging(SecretsTest):
    def consumer(self, generation: int, **keys) -> dict:
        acl = file(
            "etc/acl", "user app >{{secrets pw/password}} end\n", secrets=["pw/password"], restarts=["cache.service"]
        )
        return self.apply(
            release="cache", file=[acl], refers=[f"{FOLDER}/pw/{generation}"], unit=[{"name": "cache.service"}], **keys
        )

    def test_a_merged_file_has_the_secrets_newest_first(self):
        self.secrets("secret-one\n", "1")
        self.consumer(1)
        self.assertEqual(live("etc/acl"), "user app >secret-one end\n")
        self.apply(refers=[f"{FOLDER}/pw/1"])
        self.secrets("secret-two\n", "2")
        self.consumer(2)
        self.assertEqual(live("etc/acl"), "user app >secret-two secret-one end\n")

    def test_a_pruned_secret_is_removed_from_the_files_it_was_merged_into(self):
        self.test_a_merged_file_has_the_secrets_newest_first()
        self.systemd.log.clear()
        self.apply(refers=[f"{FOLDER}/pw/2"])
        self.assertEqual(live("etc/acl"), "user app >secret-two end\n")
        self.assertEqual(self.systemd.log, ["restart cache.service"])

    def rotated(self) -> None:
        """The last client switches to the new secret, and the server with both secrets merged no longer starts."""
        self.test_a_merged_file_has_the_secrets_newest_first()
        self.systemd.broken = lambda unit: unit == "cache.service"
        self.assertEqual(
            self.apply(refers=[f"{FOLDER}/pw/2"])["generation"], 1, "an apply that is healthy has not failed"
        )
        self.systemd.broken = lambda unit: False

    def test_a_server_that_fails_without_the_old_secret_keeps_it_until_the_next_apply(self):
        self.rotated()
        self.assertEqual(
            (live("etc/acl"), sorted(self.generations())), ("user app >secret-two secret-one end\n", ["1", "2"])
        )
        self.assertIn(
            "old secrets of pw stay until the next apply: systemctl restart cache.service failed",
            "".join(self.output).replace("[secret]", ""),
        )
        self.systemd.do("start", "cache.service")
        self.apply(release="bystander")
        self.assertEqual((live("etc/acl"), sorted(self.generations())), ("user app >secret-two end\n", ["2"]))

    def test_pruning_does_not_wait_for_an_apply_in_progress(self):
        self.test_a_merged_file_has_the_secrets_newest_first()
        with store.lock("release-cache", "apply of release cache"):
            self.apply(refers=[f"{FOLDER}/pw/2"])
        self.assertEqual(sorted(self.generations()), ["1", "2"])
        self.assertIn("stay until the next apply: apply of release cache is in progress", "".join(self.output))
        self.apply(refers=[f"{FOLDER}/pw/2"])
        self.assertEqual(sorted(self.generations()), ["2"])

    def test_what_another_apply_changed_meanwhile_is_not_undone_by_the_pruning(self):
        self.test_a_merged_file_has_the_secrets_newest_first()
        lock, armed = store.lock, [True]

        def late(name, *rest):
            if name == "release-cache" and armed and armed.pop():
                acl = file(
                    "etc/acl",
                    "user app,other >{{secrets pw/password}} end\n",
                    secrets=["pw/password"],
                    restarts=["cache.service"],
                )
                self.apply(release="cache", file=[acl], refers=[f"{FOLDER}/pw/2"], unit=[{"name": "cache.service"}])
            return lock(name, *rest)

        with support.mock.patch.object(store, "lock", late):
            self.apply(refers=[f"{FOLDER}/pw/2"])
        self.assertEqual((armed, live("etc/acl")), ([], "user app,other >secret-two end\n"))

    def test_a_release_removed_meanwhile_gets_no_secret(self):
        """Before its manifest is read again, or while waiting for its lock."""
        for where, name in ((vault, "takes"), (store, "lock")):
            with self.subTest(name):
                self.test_a_merged_file_has_the_secrets_newest_first()
                real, armed = getattr(where, name), [True]

                def late(first, *rest, real=real, armed=armed):
                    found = real(first, *rest)
                    if "cache" in (getattr(first, "release", ""), str(first).removeprefix("release-")) and armed:
                        armed.pop()
                        remove.remove("cache", "shop/prod/cache")
                    return found

                with support.mock.patch.object(where, name, late):
                    self.apply(refers=[f"{FOLDER}/pw/2"])
                self.assertEqual((armed, sorted(self.generations())), ([], ["2"]))
                self.assertNotIn("etc/acl", support.tree())
                self.assertNotIn("stay until the next apply", "".join(self.output))
                self.doCleanups()
                self.setUp()

    def test_generations_are_ordered_as_numbers(self):
        self.secrets("secret-1", "1")
        for number in (9, 10, 11):
            files.put(str(FOLDER / f"pw/{number}/password"), files.Content(f"secret-{number}".encode(), 0o400, 0, 0))
        self.assertEqual(self.merged("pw/password"), "secret-11 secret-10 secret-9 secret-1")

    def test_a_secret_that_came_later_is_merged_from_where_it_is(self):
        self.secrets("secret-one", "1")
        self.apply(refers=[f"{FOLDER}/pw/1"])
        self.apply(
            release="pw",
            secret=True,
            gives=["app"],
            file=[secret("pw", "secret-one"), secret("pw", "key-one", name="key")],
        )
        self.assertEqual(self.merged("pw/key"), "key-one")

    def test_a_missing_secret_is_refused_by_name(self):
        self.secrets("secret-one", "1")
        for name in ("pw/key", "nobody/password"):
            with self.subTest(name):
                self.refused(1, f"secret {name} is not on this host", file=Owners.takes(self, name))
        self.assertEqual(support.tree(), {})


if __name__ == "__main__":
    unittest.main()
