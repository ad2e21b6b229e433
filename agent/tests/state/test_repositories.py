"""What a host records about each repository that it has ever used."""

import json
import unittest
from dataclasses import asdict
from pathlib import Path

from gatehouse.backup import catalog, create, forget, inventory, pgbackrest, restic, restore
from gatehouse.cli import main
from gatehouse.output import report
from gatehouse.output.report import Failure
from gatehouse.release import remove
from gatehouse.state import repositories, secrets, store
from gatehouse.system import process
from tests.backup.test_backups import WithBackups, backup
from tests.support import STATE, HostTest, at, secret

FOLDER, SERVER = "/srv/backups", "sftp://keeper@vault:22/srv/backups"


def passphrase(content: str, place: str = FOLDER, generated: bool = True) -> dict:
    found = secret("backup-secrets", content, "generated", name="passphrase") | {"opens": place}
    return found if generated else {key: value for key, value in found.items() if key != "rotation"}


class Passphrases(HostTest):
    def give(self, content: str, place: str = FOLDER, generated: bool = True) -> str:
        """The passphrase with which an apply of the secrets opens the repository."""
        self.apply(release="backup-secrets", secret=True, file=[passphrase(content, place, generated)])
        return main._opened("backup-secrets")[place]

    def test_the_passphrase_of_a_repository_outlives_release_stack_and_state(self):
        self.assertEqual(self.give("first"), "first")
        repositories.remember(FOLDER, "first")
        self.assertEqual(self.give("of-a-new-state"), "first")
        remove.remove("backup-secrets", "shop/prod/backup-secrets")
        self.assertEqual(self.give("of-a-new-stack"), "first")
        store.Release("backup-secrets").forget()  # as if the release had never existed
        self.assertEqual(self.give("of-another-stack"), "first")

    def test_each_repository_has_its_own(self):
        repositories.remember(FOLDER, "of-the-folder")
        repositories.remember(SERVER, "of-the-server")
        for place, expected in ((SERVER, "of-the-server"), (FOLDER, "of-the-folder"), (SERVER, "of-the-server")):
            self.assertEqual(self.give("generated", place), expected)

    def test_a_new_repository_gets_the_hosts_passphrase_instead_of_a_new_one(self):
        self.give("first")
        self.assertEqual(self.give("of-a-new-state", SERVER), "first")

    def test_the_host_of_an_older_program_keeps_its_passphrase_too(self):
        """An older program, which did not record which passphrase opens which repository."""
        self.apply(
            release="backup-secrets",
            secret=True,
            file=[{key: value for key, value in passphrase("first").items() if key not in ("opens", "rotation")}],
        )
        self.assertEqual(self.give("of-a-new-state"), "first")

    def test_a_configured_passphrase_takes_precedence_and_must_match(self):
        self.give("generated")
        self.assertEqual(self.give("given", generated=False), "given")
        repositories.remember(FOLDER, "given")
        self.assertEqual(self.give("given", generated=False), "given")
        self.refused(
            1,
            "gatehouse:backupPassphrase is not the passphrase that opened /srv/backups on this host",
            "`gatehouse forget /srv/backups`",
            release="backup-secrets",
            secret=True,
            file=[passphrase("another", generated=False)],
        )
        self.assertEqual(self.give("generated"), "given")

    def test_no_message_shows_it(self):
        repositories.remember(FOLDER, "opened-with-this")
        secrets.learn_all()
        self.assertEqual(report.masked("it is opened-with-this"), "it is [secret]")


class Forgetting(WithBackups):
    def setUp(self):
        super().setUp()
        self.patch(pgbackrest, "known", lambda _: [{"label": "1F"}])
        repositories.remember(FOLDER, "of-the-folder")
        repositories.remember(SERVER, "of-the-server")
        inventory.record(SERVER, backup("far", 0, "0/10"))

    def test_the_loss_is_named_and_only_the_complete_command_deletes(self):
        self.refused(
            1,
            f"{SERVER} can never be read again",
            "it has 1 backup (far)",
            f"`gatehouse forget {SERVER} --for-ever`",
            call=lambda: forget.refuse(SERVER),
        )
        self.assertEqual(repositories.passphrase(SERVER), "of-the-server")
        self.assertEqual(forget.forget(SERVER)["backups"], ["far"])
        self.assertEqual(repositories.places(), [FOLDER])
        self.assertIsNone(repositories.passphrase(SERVER))

    def test_an_unknown_or_used_repository_is_refused(self):
        self.refused(
            1,
            "has no repository /srv/backup; there are: /srv/backups, sftp://",
            call=lambda: forget.forget("/srv/backup"),
        )
        self.refused(1, "this host backs up to /srv/backups, which has 1 backup", call=lambda: forget.forget(FOLDER))
        self.patch(pgbackrest, "known", lambda _: (_ for _ in ()).throw(Failure("it is away")))
        self.refused(1, "backs up to /srv/backups, and it is away", call=lambda: forget.forget(FOLDER))
        self.assertEqual(repositories.places(), [FOLDER, SERVER])

    def test_an_empty_repository_can_be_recreated(self):
        self.patch(pgbackrest, "known", lambda _: [])
        forget.forget(FOLDER)
        self.assertEqual(inventory.kept(FOLDER), [])

    def test_leftovers_of_a_stack_are_deleted_unless_another_repository_needs_them(self):
        self.apply(release="backup-secrets", secret=True, file=[passphrase("of-the-server", SERVER)])
        repositories.remember("/srv/third", "of-the-server")
        self.assertIn(
            "its passphrase stays on this host, since it is also that of /srv/third", forget.forget(SERVER)["lost"]
        )
        self.assertTrue((STATE / "secrets/backup-secrets").exists())
        forget.forget("/srv/third")
        self.assertFalse((STATE / "secrets/backup-secrets").exists())
        self.assertEqual([release.name for release in store.releases()], [])


class Moving(WithBackups):
    """pgBackRest and restic with two repositories."""

    def setUp(self):
        super().setUp()
        self.there = {FOLDER: [backup("20261125-120000", 0, "0/10")], SERVER: []}
        self.patch(
            pgbackrest,
            "known",
            lambda s: [
                {"label": b.label, "type": "full", "annotation": {"gatehouse": b.name}}
                for b in self.there[s.repository]
            ],
        )
        self.patch(
            restic,
            "contents",
            lambda s: restic.Contents(
                {b.name: [] for b in self.there[s.repository]},
                {b.name: {"id": b.name} for b in self.there[s.repository]},
            ),
        )
        self.patch(
            restic,
            "record",
            lambda s, snapshot: json.dumps(
                asdict(next(b for b in self.there[s.repository] if b.name == snapshot["id"]))
            ),
        )
        for one in inventory.kept(FOLDER):
            inventory.forget(FOLDER, one)
        self.text = inventory.SETTINGS.read_text()

    def go_to(self, place: str) -> list[str]:
        """Changes the repository's location. Returns the backups that `gatehouse backups` lists after reading it."""
        inventory.SETTINGS.write_text(self.text.replace(FOLDER, place))
        catalog.read(inventory.settings())
        return [b["name"] for b in inventory.overview()["backups"]]

    def test_the_listed_backups_are_those_of_the_named_repository(self):
        self.assertEqual(self.go_to(FOLDER), ["20261125-120000"])
        inventory.settle(FOLDER, "drill", 100, 130, None)
        self.assertEqual(self.go_to(SERVER), [])
        self.assertEqual(inventory.overview()["drill"], {})
        self.assertIn(
            "also known: /srv/backups, with 1 backup when it was last read", inventory.lines(inventory.overview())
        )
        with self.assertRaisesRegex(Failure, "no backup to restore from"):
            restore.find(catalog.read(inventory.settings()), "latest")
        self.there[SERVER].append(backup("20261126-120000", 1, "0/20"))
        self.assertEqual(self.go_to(SERVER), ["20261126-120000"])
        self.there[FOLDER].append(backup("20261125-130000", 2, "0/30"))
        self.assertEqual(self.go_to(FOLDER), ["20261125-120000", "20261125-130000"])
        self.assertEqual(inventory.overview()["drill"]["good"], 130)

    def test_deleted_backups_are_no_longer_listed(self):
        self.go_to(FOLDER)
        self.there[FOLDER] = []
        self.assertEqual(self.go_to(FOLDER), [])

    def test_the_age_of_the_listing_is_shown(self):
        self.go_to(FOLDER)
        self.assertRegex("\n".join(inventory.lines(inventory.overview())), r"1 backup in /srv/backups, read \d s ago")
        inventory.SETTINGS.write_text(self.text.replace(FOLDER, SERVER))
        self.assertIn(f"0 backups in {SERVER}, read never", inventory.lines(inventory.overview()))

    def test_a_lower_keep_is_checked_against_the_new_repository(self):
        self.there[SERVER] = [backup("20261126-120000", 1, "0/20"), backup("20261127-120000", 2, "0/30")]
        self.go_to(SERVER)
        self.go_to(FOLDER)
        create.refuse_loss(1, FOLDER)
        with self.assertRaisesRegex(Failure, "keeping 1 full backups would delete 20261126-120000"):
            create.refuse_loss(1, SERVER)

    def test_records_of_an_older_agent_stay_with_their_repository(self):
        older = STATE / "backups"
        repositories.folder(FOLDER).rename(older)
        (older / "20261125-120000.json").write_text(json.dumps(asdict(self.there[FOLDER][0])))
        (older / "last.backup").write_text(
            json.dumps({"good": 1, "ended": 1, "seconds": 1, "failed": None, "repository": FOLDER})
        )
        inventory.SETTINGS.write_text(self.text.replace(FOLDER, SERVER))
        self.assertEqual(inventory.overview()["backups"], [])
        inventory.SETTINGS.write_text(self.text)
        self.assertEqual([b["name"] for b in inventory.overview()["backups"]], ["20261125-120000"])
        self.assertEqual(inventory.outcome(FOLDER, "backup")["good"], 1)


class WrongPassphrase(WithBackups):
    """pgBackRest quotes the bytes that it decrypted, which may be arbitrary."""

    SENTENCE = "the passphrase on this host does not open the repository of {} in /srv/backups: it was created with another one"

    def prints(self, status: int, output: bytes):
        Path(at("said")).write_bytes(output)
        self.patch(pgbackrest, "_run", lambda *_: process.run(("sh", "-c", f"cat {at('said')}; exit {status}")))

    def test_a_wrong_passphrase_is_reported_regardless_of_the_decrypted_bytes(self):
        s = inventory.settings()
        for bytes_ in (
            b"\xce5U\xc2\\x\x17\x04",
            b"\\u",
            b'"',
            b"\x00\x1b[2J",
            b"\n",
            b"\x85\x1c",
            b"\xe2\x80\xa8[",
            b"]}]",
            b"",
        ):
            for kind in (b"FormatError", b"CryptoError"):
                printed = (
                    b'[{"name":"main","backup":[],"db":[],"repo":[{"status":{"code":99,"message":"['
                    + kind
                    + b"] unable to load: "
                    + bytes_
                    + b'"}}]}]\n'
                )
                with self.subTest(printed), self.assertRaisesRegex(Failure, self.SENTENCE.format("PostgreSQL")):
                    self.prints(0, printed)
                    pgbackrest.known(s)
        for status in (29, 95):
            self.prints(status, b"P00  ERROR: [0%d]: unable to load info file:\n\xff\xfe" % status)
            for act in (pgbackrest.check, pgbackrest.known, lambda s: pgbackrest.backup(s, "n", True)):
                with self.subTest(status), self.assertRaisesRegex(Failure, self.SENTENCE.format("PostgreSQL")):
                    act(s)

    def test_another_failure_is_reported_unchanged(self):
        self.prints(
            0,
            b'[{"name":"main","backup":[],"db":[],"repo":[{"status":{"code":99,"message":"[FileOpenError] unable to open"}}]}]\n',
        )
        with self.assertRaisesRegex(Failure, "cannot be read:\n.*unable to open"):
            pgbackrest.known(inventory.settings())

    def test_restic_reports_a_wrong_passphrase_by_its_exit_status(self):
        self.patch(restic, "_run", lambda *_, **__: (12, "Fatal: \udcff"))
        for act in (restic.prepare, restic.contents, lambda s: restic.record(s, {"id": "1", "paths": ["/r"]})):
            with self.assertRaisesRegex(Failure, self.SENTENCE.format("folders")):
                act(inventory.settings())
        self.patch(restic, "_run", lambda *_, **__: (1, "Fatal: no space"))
        with self.assertRaisesRegex(Failure, "cannot be read:\n.*no space"):
            restic.contents(inventory.settings())


if __name__ == "__main__":
    unittest.main()
