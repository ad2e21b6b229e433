"""Backups and restores: targets, listings, copied data, and refusals."""

import json
import os
import pwd
import time
import unittest
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from gatehouse.backup import catalog, create, inventory, parts, pgbackrest, restic, restore
from gatehouse.backup.inventory import Backup, Names, Rows
from gatehouse.cli import rollback
from gatehouse.output.report import Failure
from gatehouse.release import remove
from gatehouse.state import repositories, workspace
from gatehouse.system import process
from tests import support
from tests.support import STATE, HostTest, at, file, secret

PLACE = "/srv/backups"


def backup(name: str, minute: int, lsn: str, label: str = "F") -> Backup:
    moment = datetime(2026, 11, 25, 12, minute, tzinfo=UTC).timestamp()
    return Backup(
        name,
        moment - 5,
        moment,
        moment + 5,
        f"20261125-1200{minute:02}{label}",
        f"gatehouse-{name}-1",
        lsn,
        True,
        {"wiki": {"public.page": Rows(3, "77")}},
        {"app-wiki/data": "/var/lib/apps/wiki/data"},
        Names({}, {}),
        4,
        2 << 20,
        1 << 20,
    )


class WithBackups(HostTest):
    def setUp(self):
        super().setUp()
        self.patch(inventory, "METRICS", support.TREE / "metrics/gatehouse.prom")
        self.patch(inventory, "SETTINGS", support.TREE / "backup.toml")
        inventory.METRICS.parent.mkdir()
        inventory.SETTINGS.write_text(
            'stanza = "main"\nrepository = "/srv/backups"\nfull_days = 7\nbin = "/b"\nconfig = "/c"\ndata = "/d"\nuser = "u"\n'
            'unit = "p.service"\nsocket_directory = "/s"\nrestic = ["restic", "--password-file", "{}"]\n'
            "key_of_a_newer_program = 1\n".format(at("passphrase"))
        )
        Path(at("passphrase")).write_text("of-the-repository")
        for one in (backup("first", 0, "0/10"), backup("second", 30, "1/0", "D")):
            inventory.record(PLACE, one)


class Backups(WithBackups):
    def test_a_record_is_read_back_as_it_was(self):
        self.assertEqual([b.name for b in inventory.kept(PLACE)], ["first", "second"])
        self.assertEqual(inventory.kept(PLACE)[0], backup("first", 0, "0/10"))

    def test_the_target_of_a_restore(self):
        for to, options, taken in (
            ("latest", ("--type=default",), "second"),
            (
                "first",
                ("--type=name", "--target=gatehouse-first-1", "--set=20261125-120000F", "--target-action=promote"),
                "first",
            ),
            ("0/FF", ("--type=lsn", "--target=0/FF", "--target-action=promote"), "first"),
            ("1/1", ("--type=lsn", "--target=1/1", "--target-action=promote"), "second"),
            (
                "2026-11-25T12:29:59Z",
                ("--type=time", "--target=2026-11-25 12:29:59.000000+00", "--target-action=promote"),
                "first",
            ),
            (
                "2026-11-25T13:31:00.25+01:00",
                ("--type=time", "--target=2026-11-25 12:31:00.250000+00", "--target-action=promote"),
                "second",
            ),
        ):
            with self.subTest(to):
                found = restore.find(inventory.kept(PLACE), to)
                self.assertEqual((found.options, found.backup.name), (options, taken))

    def test_a_time_without_a_zone_is_in_the_zone_of_the_host(self):
        local = datetime(2026, 11, 25, 12, 40, tzinfo=UTC).astimezone().replace(tzinfo=None)
        self.assertEqual(
            restore.find(inventory.kept(PLACE), f"{local:%Y-%m-%d %H:%M}").options[1],
            "--target=2026-11-25 12:40:00.000000+00",
        )

    def test_an_invalid_restore_target_is_refused(self):
        for to, words in (
            ("yesterday", "expected latest"),
            ("2026-11-25T11:59:00Z", "before the oldest backup: first"),
            ("20261125-123000", "no backup 20261125-123000 in the repository; there are first, second"),
            ("0/1", "before the oldest"),
            ("2126-01-01", "is in the future"),
            ("third", "expected latest"),
        ):
            with self.subTest(to), self.assertRaisesRegex(Failure, words):
                restore.find(inventory.kept(PLACE), to)

    def test_a_restore_without_any_backup_is_refused(self):
        for one in inventory.kept(PLACE):
            inventory.forget(PLACE, one)
        with self.assertRaisesRegex(Failure, "no backup"):
            restore.find(inventory.kept(PLACE), "latest")

    def test_a_host_without_backup_settings_is_refused_with_the_remedy(self):
        inventory.SETTINGS.unlink()
        with self.assertRaisesRegex(Failure, "gatehouse:backup"):
            inventory.settings()

    def test_the_overview_is_healthy_until_a_backup_or_drill_fails(self):
        self.assertTrue(inventory.overview()["healthy"])
        inventory.settle(PLACE, "drill", 100, 130, "public.page differs")
        found = inventory.overview()
        self.assertFalse(found["healthy"])
        text = "\n".join(inventory.lines(found))
        self.assertRegex(text, r"second .* differential +10 s +2\.0 MiB +1\.0 MiB +1 +4")
        self.assertRegex(text, "the last drill failed, .*: public.page differs")
        self.assertIn("last good drill: never", text)
        inventory.settle(PLACE, "drill", 200, 230, None)
        self.assertTrue(inventory.overview()["healthy"])

    def test_a_successful_manual_run_resets_the_failed_unit(self):
        for kind in ("backup", "drill"):
            self.systemd.log.clear()
            inventory.settle(PLACE, kind, 100, 130, "no space left")
            self.assertEqual(self.systemd.log, [])
            inventory.settle(PLACE, kind, 200, 230, None)
            self.assertEqual(self.systemd.log, [f"reset-failed gatehouse-{kind}.service"])

    def test_metrics_include_the_last_successful_run(self):
        inventory.settle(PLACE, "drill", 200, 230, None)
        inventory.settle(PLACE, "drill", 300, 310, "damaged")
        text = inventory.METRICS.read_text()
        for line in (
            "gatehouse_drill_last_failed 1",
            "gatehouse_drill_last_good_timestamp_seconds 230",
            "gatehouse_drill_duration_seconds 10",
            "gatehouse_backup_size_bytes 2097152",
            "gatehouse_backup_duration_seconds 10.0",
        ):
            self.assertIn(f"{line}\n", text)
        self.assertEqual(inventory.METRICS.stat().st_mode & 0o777, 0o644)
        self.assertEqual([p.name for p in inventory.METRICS.parent.iterdir()], ["gatehouse.prom"])

    def test_a_host_without_the_exporter_gets_no_folder_of_it(self):
        self.patch(inventory, "METRICS", support.TREE / "exporter/gatehouse.prom")
        inventory.settle(PLACE, "drill", 200, 230, None)
        self.assertFalse(inventory.METRICS.parent.exists())


class Folders(HostTest):
    def test_each_data_folder_is_backed_up_and_databases_are_in_the_cluster_backup(self):
        save = {"save": ["true"], "drop": ["true"], "database": "wiki"}
        for name in ("wiki", "caddy"):
            os.makedirs(at(f"var/lib/{name}"))
        self.apply(
            release="app-wiki",
            file=[file("etc/wiki", "x")],
            data=[{"name": "volumes", "path": at("var/lib/wiki"), "before": ["sync"]}, {"name": "database", **save}],
        )
        self.apply(
            release="caddy",
            file=[file("etc/caddy", "x")],
            data=[
                {"name": "certificates", "path": at("var/lib/caddy")},
                {"name": "nothing-yet", "path": at("var/lib/none")},
            ],
        )
        self.assertEqual(
            {
                release: [(data.name, data.path, data.before) for data in members]
                for release, members in parts.Parts().members.items()
            },
            {
                "app-wiki": [("volumes", at("var/lib/wiki"), ("sync",))],
                "caddy": [("certificates", at("var/lib/caddy"), ())],
            },
        )

    def restic(self, status: int, *lines: dict) -> inventory.Settings:
        """A program that prints restic's output, one message per line."""
        self.patch(restic, "_CLOSED", 'shift 2; exec "$@"')  # the script for a single folder
        Path(at("said")).write_text(
            "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
        )
        return replace(
            inventory.Settings("main", "r", 7, "b", "c", "d", "u", "p", "s", ()),
            restic=("/bin/sh", "-c", f"cat {at('said')}; exit {status}"),
        )

    SUMMARY: ClassVar = {
        "message_type": "summary",
        "snapshot_id": "4f1e",
        "total_files_processed": 3,
        "total_bytes_processed": 7 << 40,
        "data_added_packed": 5,
    }

    @staticmethod
    def error(words: str) -> dict:
        return {"message_type": "error", "error": {"message": words}}

    @unittest.skipIf(os.geteuid(), "only root makes mounts")
    def test_a_file_deleted_during_the_copy_is_ignored_and_an_unreadable_one_is_reported(self):
        gone, broken = (
            self.error("lstat /srv/a.tmp: no such file or directory"),
            self.error("read /srv/b: input/output error"),
        )
        disguised = self.error("read /srv/no such file or directory: input/output error")
        for status, lines, complaint in (
            (0, (), None),
            (3, (gone,), None),
            (3, (gone, broken), "read /srv/b: input/output error"),
            (3, (disguised, broken), f"{disguised['error']['message']} and 1 more"),
            (1, (), "restic ended with status 1"),
            (0, ("{ of a name", '{"message_type": "error", "error": 1}'), None),
        ):
            with self.subTest(status=status, lines=lines):
                found = restic.save(self.restic(status, *lines, self.SUMMARY), "n", str(support.TREE))
                self.assertEqual((found.files, found.added, found.complaint), (3, 5, complaint))
                self.assertLess(found.size, 1 << 30)  # a sparse file takes no space
        with self.assertRaisesRegex(Failure, "wrong password"):
            restic.save(self.restic(1, "wrong password"), "n", str(support.TREE))

    def test_a_problem_in_the_folders_of_one_release_does_not_affect_others(self):
        for name in ("evil", "victim"):
            os.makedirs(at(f"var/lib/{name}"))
            self.apply(
                release=name,
                file=[file(f"etc/{name}", "x")],
                data=[
                    {
                        "name": "volumes",
                        "path": at(f"var/lib/{name}"),
                        "before": ["false"] if name == "evil" else ["true"],
                    }
                ],
            )

        def save(_, name: str, path: str) -> restic.Saved:
            if "evil" in path:
                raise Failure("too many levels of symbolic links")
            return restic.Saved([path], 1, 2, 3, None)

        self.patch(restic, "save", save)
        found = parts.Parts()
        found.run_hooks("before")
        self.assertEqual(set(found.save(None, "n")), {"victim/volumes", parts.OURS})
        self.assertEqual(list(found.folders({"victim/volumes": None})), ["victim/volumes"])
        self.assertEqual(
            found.incomplete,
            {
                "evil": f"the command before the backup of volumes failed: ; {at('var/lib/evil')} is not in the backup: "
                "too many levels of symbolic links"
            },
        )

    def test_a_failure_in_the_agents_own_folder_fails_the_backup(self):
        self.patch(restic, "save", lambda *_: restic.Saved([], 1, 2, 3, "input/output error"))
        with self.assertRaisesRegex(Failure, "the agent's secrets could not be copied: input/output error"):
            parts.Parts().save(None, "n")

    def test_a_folder_below_a_directory_that_another_account_can_write_is_refused(self):
        os.makedirs(at("open/data"))
        os.chmod(at("open"), 0o777)
        with self.assertRaisesRegex(Failure, "can be written by an account other than root"):
            restic.save(self.restic(0, self.SUMMARY), "n", at("open/data"))

    def test_a_folder_is_restored_from_the_snapshot_that_contains_it(self):
        ran = []
        self.patch(restic, "_run", lambda _, *words, **__: ran.append(words) or (0, ""))
        snapshots = [
            {"id": "1", "paths": ["/a"]},
            {"id": "2", "paths": ["/b", "/c"]},
            {"id": "3", "paths": ["/secrets"]},
        ]
        for path, snapshot in (("/c", "2"), ("/secrets/app", "3")):
            restic.restore(None, restic.snapshot_with(snapshots, path), path, "/shelf")
            self.assertEqual(ran.pop()[:4], ("restore", snapshot, f"--include={path}", "--target=/shelf"))
        with self.assertRaisesRegex(Failure, "/d is not in the backup"):
            restic.snapshot_with(snapshots, "/d")

    def test_free_space_is_checked_first(self):
        workspace.refuse_without_room(str(support.TREE), 1 << 20)
        with self.assertRaisesRegex(
            Failure, "free, but 1.1 TiB may be needed; free some space there; nothing was changed"
        ):
            workspace.refuse_without_room(str(support.TREE), 1 << 40)

    @unittest.skipIf(os.geteuid(), "only root gives files away")
    def test_restored_files_get_owners_by_name_and_not_by_number(self):
        for name, uid, mode in (("renumbered", 50001, 0o2750), ("nobodys", 50002, 0o640), ("unknown", 50003, 0o600)):
            Path(at(name)).write_text(name)
            os.chown(at(name), uid, uid)
            os.chmod(at(name), mode)
        os.symlink("nobodys", at("link"))
        os.chown(at("link"), 50001, 50001, follow_symlinks=False)
        workspace.give_back_names(
            str(support.TREE),
            {"50001": "daemon", "50002": "gone-with-the-host"},
            {"50001": "daemon"},
        )
        daemon = pwd.getpwnam("daemon")
        found = {
            name: (os.lstat(at(name)).st_uid, os.lstat(at(name)).st_gid, os.lstat(at(name)).st_mode & 0o7777)
            for name in ("renumbered", "nobodys", "unknown")
        }
        self.assertEqual(
            found,
            {
                "renumbered": (daemon.pw_uid, daemon.pw_gid, 0o2750),
                "nobodys": (50002, 50002, 0o640),
                "unknown": (50003, 50003, 0o600),
            },
        )
        self.assertEqual((os.lstat(at("link")).st_uid, os.readlink(at("link"))), (daemon.pw_uid, "nobodys"))


class Keeping(WithBackups):
    def setUp(self):
        super().setUp()
        kinds = [("1F", "full", "one"), ("1F_2D", "diff", "two"), ("3F", "full", "three"), ("4F", "full", "four")]
        self.patch(
            pgbackrest,
            "known",
            lambda _: [
                {"label": label, "type": kind, "annotation": {"gatehouse": name}} for label, kind, name in kinds
            ],
        )

    def test_a_lower_keep_is_refused_with_the_names_of_all_backups_that_it_would_delete(self):
        for keep in (3, 4):
            create.refuse_loss(keep)
        with self.assertRaisesRegex(
            Failure,
            "keeping 2 full backups would delete one, two: raise backup.keep to 3, or, to accept the loss, set backup.allowDataLoss",
        ):
            create.refuse_loss(2)

    def test_a_host_without_backups_accepts_any_keep(self):
        inventory.SETTINGS.unlink()
        create.refuse_loss(1)


class Unreadable(WithBackups):
    """pgBackRest's `info` succeeds even if the repository's service is unreachable, and lists no backups."""

    def setUp(self):
        super().setUp()
        away = {"code": 99, "message": "[HostConnectError] unable to connect to 's3:443': [111] Connection refused"}
        info = [
            {
                "name": "main",
                "backup": [],
                "db": [],
                "repo": [{"key": 1, "status": away}],
                "status": {"code": 99, "message": "other"},
            }
        ]
        self.patch(pgbackrest, "_run", lambda *_: (0, json.dumps(info)))

    def test_an_unreadable_repository_is_not_treated_as_empty(self):
        s = inventory.settings()
        for ask in (pgbackrest.known, pgbackrest.first_is_due, pgbackrest.full_is_due, pgbackrest.refuse_another_major):
            with self.assertRaisesRegex(
                Failure, "repository of PostgreSQL in /srv/backups cannot be read:\n.*Connection refused"
            ):
                ask(s)

    def test_backups_that_would_be_lost_are_known_from_local_records_so_that_a_key_can_be_replaced(self):
        create.refuse_loss(1)
        inventory.record(PLACE, backup("third", 40, "2/0"))
        with self.assertRaisesRegex(Failure, "keeping 1 full backups would delete first: raise backup.keep to 2"):
            create.refuse_loss(1)
        create.refuse_loss(2)
        self.assertIn("Connection refused", "".join(self.output))

    def test_a_repository_without_this_stanza_is_empty(self):
        missing = {"code": 1, "message": "missing stanza path"}
        for info in (
            [],
            [{"name": "main", "backup": [], "db": [], "repo": [{"key": 1, "status": missing}], "status": missing}],
        ):
            self.patch(pgbackrest, "_run", support.mock.Mock(return_value=(0, json.dumps(info))))
            self.assertEqual(pgbackrest.known(inventory.settings()), [])

    def test_an_empty_folder_with_recorded_backups_is_refused_as_an_unmounted_disk(self):
        made = []
        self.patch(restic, "prepare", lambda _: made.append("folders"))
        self.patch(pgbackrest, "prepare", lambda _: made.append("PostgreSQL") or True)
        self.patch(pgbackrest, "_run", lambda *_: (0, "[]"))
        self.patch(catalog, "read", lambda _: [])
        create.prepare()  # no backup has succeeded yet, so the recorded ones came from elsewhere
        inventory.settle(PLACE, "backup", 100, 130, None)
        inventory.settle(PLACE, "backup", 200, 230, "no such file")
        with self.assertRaisesRegex(
            Failure, "^/srv/backups is empty, but this host has recorded 2 backups in it: is its disk mounted"
        ):
            create.prepare()
        self.assertEqual(made, ["folders", "PostgreSQL"])
        inventory.SETTINGS.write_text(inventory.SETTINGS.read_text().replace("/srv/backups", "/srv/others"))
        create.prepare()  # another repository, which is expected to be empty
        self.assertEqual(len(made), 4)

    def test_reports_of_restics_retries_are_not_part_of_the_answer(self):
        said = "Load(<key/1>, 0, 0) returned error, retrying after 1s: connection refused\n"
        self.patch(process, "run", lambda *_, **__: (0, f'{said}[{{"id": "1", "tags": ["record=first"]}}]\n'))
        self.assertEqual(list(restic.contents(inventory.settings())[1]), ["first"])
        self.patch(process, "run", lambda *_, **__: (0, f'{said}{{"name": "first"}}'))
        self.assertEqual(restic.record(inventory.settings(), {"id": "1", "paths": ["/record"]}), '{"name": "first"}')

    def test_no_old_backup_is_deleted_if_the_new_one_is_not_listed(self):
        newest = inventory.kept(PLACE)[-1]
        listed = [
            {"id": f"{name}-{kind}", "paths": ["/"], "tags": [f"{kind}={name}"]}
            for name in ("first", "second")
            for kind in ("gatehouse", "record")
        ]
        ran: list[tuple[str, ...]] = []

        def run(_, verb: str, *words: str) -> tuple[int, str]:
            ran.append((verb, *words))
            return 0, json.dumps(listed) if verb == "snapshots" else ""

        self.patch(restic, "_run", run)
        self.patch(pgbackrest, "known", lambda _: [])
        with self.assertRaisesRegex(Failure, "does not list it: no old backup was deleted"):
            catalog.expire(inventory.settings(), newest)
        self.assertEqual((len(inventory.kept(PLACE)), ran), (2, []))
        self.patch(pgbackrest, "known", lambda _: [{"annotation": {"gatehouse": "second"}, "label": newest.label}])
        catalog.expire(inventory.settings(), newest)
        self.assertEqual([one.name for one in inventory.kept(PLACE)], ["second"])
        self.assertEqual(
            ran,
            [
                ("snapshots", "--json", "--quiet"),
                ("unlock", "--quiet"),
                ("forget", "--prune", "--quiet", "first-gatehouse", "first-record"),
            ],
        )


class Sandbox(WithBackups):
    def test_the_server_is_restarted_if_its_unit_cannot_write_to_the_repository(self):
        settings = replace(inventory.settings(), repository=at("repository"))
        restarts: list[list[str]] = []
        self.patch(pgbackrest.jobs, "run", lambda _, names: restarts.append(names))
        for pid, made, expected in (
            (str(os.getpid()), False, 0),
            ("0", False, 0),
            (str(os.getpid()), True, 0),
            ("0", True, 1),
        ):
            with self.subTest(pid=pid, made=made):
                restarts.clear()
                if made:
                    Path(at("repository/postgres")).mkdir(parents=True, exist_ok=True)
                self.patch(
                    pgbackrest.systemd, "show", lambda names, _, pid=pid: {name: {"MainPID": pid} for name in names}
                )
                pgbackrest._show_folder(settings)
                self.assertEqual(len(restarts), expected)


class Upgrades(WithBackups):
    """Major versions as reported by pgBackRest and PostgreSQL. Backups of version 15; the second one is
    differential."""

    def setUp(self):
        super().setUp()
        self.did, self.installed, self.mismatch = [], "17", True
        self.clusters = [{"id": 1, "version": "15"}]
        self.there = [self.taken(b.label, 1) for b in inventory.kept(PLACE)]
        self.patch(pgbackrest, "_run", self.pgbackrest)
        self.patch(
            process,
            "run",
            lambda *_, **__: (0, f"postgres (PostgreSQL) {self.installed}.12 (Debian 17.12-0+deb13u1)\n"),
        )
        self.patch(restic, "prepare", lambda _: None)
        self.patch(restic, "contents", lambda _: restic.Contents({}, {}))
        inventory.settle(PLACE, "backup", 100, 130, None)
        self.systemd.log.clear()

    def taken(self, label: str, cluster: int) -> dict:
        kind = {"F": "full", "D": "diff"}[label[-1]]
        return {
            "label": label,
            "type": kind,
            "database": {"id": cluster, "repo-key": 1},
            "timestamp": {"start": 0, "stop": int(time.time())},
        }

    def pgbackrest(self, _, *words: str) -> tuple[int, str]:
        if "info" in words:
            return 0, json.dumps(
                [
                    {
                        "name": "main",
                        "backup": self.there,
                        "db": self.clusters,
                        "repo": [{"key": 1, "status": {"code": 0, "message": "ok"}}],
                    }
                ]
            )
        self.did.append(words[0])
        if words[0] == "stanza-upgrade":
            self.clusters.append({"id": len(self.clusters) + 1, "version": self.installed})
            self.mismatch = False
        return (
            (28, "ERROR: [028]: backup and archive info files exist but do not match the database")
            if self.mismatch
            else (0, "")
        )

    def test_an_upgraded_cluster_continues_in_the_repository_with_a_full_backup(self):
        self.assertFalse(pgbackrest.full_is_due(inventory.settings()))
        self.assertTrue(create.prepare()["prepared"])
        self.assertEqual(self.did, ["stanza-create", "stanza-upgrade", "check"])
        self.assertTrue(pgbackrest.full_is_due(inventory.settings()))
        self.assertEqual(self.systemd.log, ["start gatehouse-backup.service"])

    def refused(self):
        self.assertFalse(create.prepare()["prepared"])
        self.assertEqual(self.did, ["stanza-create"])
        self.assertIn("another cluster", inventory.outcome(PLACE, "backup")["failed"])

    def test_a_recreated_cluster_of_the_same_major_is_refused(self):
        self.installed = "15"
        self.refused()

    def test_a_new_host_of_another_major_is_refused(self):
        for one in inventory.kept(PLACE):
            inventory.forget(PLACE, one)
        self.refused()

    def test_a_new_host_that_took_no_backups_itself_is_refused(self):
        (repositories.folder(PLACE) / "last.backup").unlink()
        self.refused()

    def test_another_repository_that_has_none_of_this_hosts_backups_is_refused(self):
        self.there = [self.taken("20260101-000000F", 1)]
        self.refused()

    def test_a_backup_is_restored_only_by_the_major_that_created_it(self):
        s, (old, _) = inventory.settings(), inventory.kept(PLACE)
        self.patch(catalog, "read", lambda _: self.fail("a host that can restore none must not count them as its own"))
        with self.assertRaisesRegex(
            Failure, "all backups are of PostgreSQL 15, and this host has PostgreSQL 17.*nothing was changed"
        ):
            restore.restore("latest")
        self.clusters.append({"id": 2, "version": "17"})
        self.there.append(self.taken("20261126-000000F", 2))
        pgbackrest.refuse_another_major(s)
        pgbackrest.refuse_another_major(s, "20261126-000000F")
        with self.assertRaisesRegex(Failure, f"backup {old.label} is of PostgreSQL 15"):
            pgbackrest.refuse_another_major(s, old.label)

    def test_a_record_with_a_false_name_or_path_is_rejected(self):
        there = inventory.kept(PLACE)[0]
        made_up = {
            "20261201-000000": replace(there, name="../../../tmp/evil"),
            "20261202-000000": replace(there, name="20261202-000000"),
            "../evil": replace(there, name="../evil"),
        }
        self.patch(
            restic,
            "contents",
            lambda _: restic.Contents({name: [] for name in made_up}, {name: {"id": name} for name in made_up}),
        )
        self.patch(restic, "record", lambda _, snapshot: json.dumps(asdict(made_up[snapshot["id"]])))
        self.there = [{"label": there.label, "annotation": {"gatehouse": name}} for name in made_up]
        self.assertEqual([one.name for one in catalog.read(inventory.settings())], ["20261202-000000"])

    def test_an_empty_repository_is_never_refused(self):
        self.there, self.clusters = [], []
        pgbackrest.refuse_another_major(inventory.settings())
        self.assertTrue(pgbackrest.first_is_due(inventory.settings()))


class Handles(WithBackups):
    """An SFTP server that lets each run of pgBackRest read only some of ten files."""

    def restoring(self, at_once: int) -> list[tuple]:
        into, calls = at("restored"), []
        self.patch(workspace, "give", lambda path, _: os.mkdir(path))

        def run(_, *words):
            calls.append(words)
            for _ in range(at_once):
                if (number := len(os.listdir(into))) < 10:
                    Path(into, str(number)).touch()
            return (
                (0, "")
                if len(os.listdir(into)) == 10
                else (41, "ERROR: unable to open file: libssh2 error [-31]: sftp error [4] failure")
            )

        self.patch(pgbackrest, "_run", run)
        pgbackrest.restore(inventory.settings(), into, ("--type=default",))
        return calls

    def test_a_restore_continues_after_the_server_ran_out_of_handles(self):
        first, *more = self.restoring(4)
        self.assertNotIn("--delta", first)
        self.assertEqual([words[0] for words in more], ["--delta", "--delta"])
        self.assertEqual(len(os.listdir(at("restored"))), 10)

    def test_a_server_that_makes_no_progress_is_an_error(self):
        with self.assertRaisesRegex(Failure, "cannot be restored:\n.*sftp error"):
            self.restoring(0)


class Merging(HostTest):
    def test_a_reference_to_one_generation_inserts_only_that_one(self):
        for number, word in ((1, "first"), (2, "second")):
            self.apply(release="keys", secret=True, gives=["app"], file=[secret("keys", word, rotation=str(number))])
            self.apply(
                release=f"user{number}", refers=[f"{STATE}/secrets/keys/{number}"], file=[file(f"etc/{number}", "x")]
            )
        self.taken("keys/password", "second first")
        self.taken("keys/1/password", "first")
        self.taken("keys/2/password", "second")
        self.refused(1, "secret keys/3/password is not on this host", call=lambda: self.taken("keys/3/password", ""))

    def taken(self, name: str, secrets: str) -> None:
        self.apply(file=[file("etc/app", f"{{{{secrets {name}}}}}", secrets=[name])])
        self.assertEqual(support.live("etc/app"), secrets)


class Series(HostTest):
    def image(self, series: str, *follows: str) -> dict:
        return dict(
            image=[{"reference": f"localhost/app:{series}.1", "series": series, "follows": list(follows)}],
            file=[file("etc/app", series)],
        )

    def test_series_are_upgraded_one_at_a_time_and_never_downgraded(self):
        self.apply(**self.image("2026.2"))
        self.refused(
            1, "series 2026.8", "can only follow 2026.5", "this host has 2026.2", **self.image("2026.8", "2026.5")
        )
        self.assertEqual(support.live("etc/app"), "2026.2")
        self.apply(**self.image("2026.5", "2026.2"))
        self.apply(**self.image("2026.8", "2026.5"))
        self.refused(1, "this host has 2026.8", "never back", **self.image("2026.5", "2026.2"))
        self.assertEqual(support.live("etc/app"), "2026.8")

    def version(self, version: str, **more: object) -> dict:
        return dict(
            image=[{"reference": f"localhost/app:{version}", "version": version, **more}],
            file=[file("etc/app", version)],
        )

    def test_a_lower_version_is_refused_unless_it_is_allowed_or_a_rollback(self):
        self.apply(**self.version("2026.8.3"))
        self.apply(**self.version("2026.8.10"))  # compared as numbers
        self.refused(
            1,
            "localhost/app:2026.8.3 is older than localhost/app:2026.8.10",
            "To replace it anyway, set app.older: true in the configuration; nothing was changed",
            **self.version("2026.8.3", permission="app.older"),
        )
        self.refused(1, "No key of the configuration permits it", **self.version("2026.8.3"))
        self.assertEqual(support.live("etc/app"), "2026.8.10")
        rollback.rollback("app")
        self.assertEqual(support.live("etc/app"), "2026.8.3")
        self.apply(**self.version("2026.8.10"))
        self.apply(**self.version("2026.8.3", downgrade=True))
        self.assertEqual(support.live("etc/app"), "2026.8.3")

    def test_a_removed_release_leaves_its_data_and_so_its_version_counts(self):
        self.apply(**self.version("2026.8.10"))
        remove.remove("app", "shop/prod/app")
        older = self.version("2026.8.3", permission="app.older")
        self.refused(1, "is older than localhost/app:2026.8.10, which this host has or had", **older)
        self.assertFalse((support.TREE / "etc/app").exists())
        self.apply(**self.version("2026.8.10"))
        remove.remove("app", "shop/prod/app")
        self.apply(**self.version("2026.8.3", downgrade=True))
        self.assertEqual(support.live("etc/app"), "2026.8.3")

    def test_nor_does_a_removed_release_let_an_upgrade_skip_a_series(self):
        self.apply(**self.image("2026.2"))
        remove.remove("app", "shop/prod/app")
        self.refused(
            1,
            "series 2026.8",
            "this host has 2026.2",
            f"If that data was deleted since the removal: rm {support.STATE}/remains/app",
            **self.image("2026.8", "2026.5"),
        )
        self.assertFalse((support.TREE / "etc/app").exists())
        self.apply(**self.image("2026.5", "2026.2"))
        remove.remove("app", "shop/prod/app")
        os.remove(support.STATE / "remains/app")
        self.apply(**self.image("2026.12", "2026.8"))
        self.assertEqual(support.live("etc/app"), "2026.12")

    def test_a_series_goes_back_only_where_that_is_allowed(self):
        self.apply(**self.version("2026.8.3", series="2026.8", follows=["2026.5"]))
        older = {"series": "2026.5", "follows": ["2026.2"], "permission": "app.older"}
        self.refused(1, "never back. To replace it anyway, set app.older: true", **self.version("2026.5.9", **older))
        self.apply(**self.version("2026.5.9", **older, downgrade=True))
        self.assertEqual(support.live("etc/app"), "2026.5.9")

    def test_an_allowed_downgrade_goes_back_one_series_at_a_time(self):
        self.apply(**self.version("2026.8.3", series="2026.8", follows=["2026.5"]))
        oldest = self.version("2026.2.1", series="2026.2", follows=["2025.12"], downgrade=True)
        self.refused(1, "can only follow 2025.12", "goes back by one series only, here to 2026.5", **oldest)
        self.assertEqual(support.live("etc/app"), "2026.8.3")
        self.apply(**self.version("2026.5.9", series="2026.5", follows=["2026.2"], downgrade=True))
        self.apply(**oldest)
        self.assertEqual(support.live("etc/app"), "2026.2.1")

    def test_an_allowed_downgrade_does_not_allow_an_upgrade_that_skips_a_series(self):
        self.apply(**self.version("2026.2.1", series="2026.2", follows=["2025.12"]))
        skips = self.version("2026.8.3", series="2026.8", follows=["2026.5"], downgrade=True)
        self.refused(1, "Upgrade through each series between them", **skips)
        self.apply(**self.version("2026.5.9", series="2026.5", follows=["2026.2"], downgrade=True))
        self.apply(**skips)
        self.assertEqual(support.live("etc/app"), "2026.8.3")

    def test_any_image_is_accepted_within_a_series_and_from_an_unknown_one(self):
        self.apply(image=[{"reference": "localhost/app:1"}])
        self.apply(**self.image("2026.8", "2026.5"))
        self.apply(**self.image("2026.8", "2026.5") | {"file": [file("etc/app", "other")]})
        self.assertEqual(support.live("etc/app"), "other")


if __name__ == "__main__":
    unittest.main()
