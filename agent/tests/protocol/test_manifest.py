"""The rules of a manifest. Each rejected example has an accepted counterpart."""

import unittest

from gatehouse.output.report import REFUSED, Failure
from gatehouse.protocol.manifest import PROTOCOL, load, owner_ids
from tests import support
from tests.support import OWNER, file, manifest

CONF = {"path": "/etc/app.conf", "mode": "0640", "owner": OWNER, "content": ""}
FOLDER = {"name": "folder", "path": "/srv/app/data"}
TABLE = {"name": "table", "save": ["true"], "drop": ["true"]}
DATA = {"path": "/srv/app", "mode": "02770", "owner": OWNER}

# Each rule: its subject, an accepted manifest, a rejected one, and the error message.
RULES = [
    (
        "another protocol",
        {"protocol": PROTOCOL},
        {"protocol": PROTOCOL + 1},
        f"protocol: this agent speaks {PROTOCOL}, the manifest {PROTOCOL + 1}",
    ),
    (
        "a release with a path in its name",
        {"release": "app-2"},
        {"release": "../app"},
        "release: '../app' is not a name",
    ),
    ("a release in capitals", {"release": "a"}, {"release": "App"}, "release: 'App' is not a name"),
    ("no time at all", {"deadline": 1}, {"deadline": 0}, "deadline: 0 is not a positive number"),
    (
        "a relative path",
        {"file": [CONF]},
        {"file": [CONF | {"path": "etc/app.conf"}]},
        "file etc/app.conf: not an absolute, clean path",
    ),
    (
        "a way up",
        {"file": [CONF | {"path": "/etc/..app"}]},
        {"file": [CONF | {"path": "/etc/../app"}]},
        "file /etc/../app: not an absolute, clean path",
    ),
    ("a way up at the end", {"file": [CONF]}, {"file": [CONF | {"path": "/etc/.."}]}, "file /etc/..: not an absolute"),
    (
        "a dot",
        {"file": [CONF | {"path": "/etc/.app"}]},
        {"file": [CONF | {"path": "/etc/./app"}]},
        "file /etc/./app: not an absolute",
    ),
    ("a doubled slash", {"file": [CONF]}, {"file": [CONF | {"path": "/etc//app"}]}, "file /etc//app: not an absolute"),
    (
        "a folder's slash",
        {"directory": [DATA]},
        {"directory": [DATA | {"path": "/srv/app/"}]},
        "directory /srv/app/: not an absolute",
    ),
    (
        "a line break in a path",
        {"file": [CONF | {"path": "/etc/a b"}]},
        {"file": [CONF | {"path": "/etc/a\nb"}]},
        "not an absolute",
    ),
    (
        "a mode in words",
        {"file": [CONF]},
        {"file": [CONF | {"mode": "u=rw"}]},
        "file /etc/app.conf: mode 'u=rw' is not octal",
    ),
    (
        "a decimal mode",
        {"file": [CONF | {"mode": "0777"}]},
        {"file": [CONF | {"mode": "0798"}]},
        "mode '0798' is not octal",
    ),
    (
        "a short mode",
        {"directory": [DATA]},
        {"directory": [DATA | {"mode": "770"}]},
        "directory /srv/app: mode '770' is not octal",
    ),
    (
        "a file twice",
        {"file": [CONF, CONF | {"path": "/etc/b"}]},
        {"file": [CONF, CONF]},
        "file /etc/app.conf: named twice",
    ),
    (
        "a file and a directory at one path",
        {"file": [CONF], "directory": [DATA]},
        {"file": [CONF], "directory": [DATA | {"path": "/etc/app.conf"}]},
        "directory /etc/app.conf: named twice",
    ),
    (
        "an unknown user",
        {"file": [CONF | {"owner": "root:root"}]},
        {"file": [CONF | {"owner": "nobody-here:root"}]},
        "file /etc/app.conf: owner 'nobody-here:root': no such user or group",
    ),
    (
        "an unknown group",
        {"directory": [DATA]},
        {"directory": [DATA | {"owner": "root:nobody-here"}]},
        "directory /srv/app: owner 'root:nobody-here'",
    ),
    (
        "a file below a file",
        {"file": [CONF, CONF | {"path": "/etc/app.confd/x"}]},
        {"file": [CONF, CONF | {"path": "/etc/app.conf/d/x"}]},
        "file /etc/app.conf/d/x: is below the file /etc/app.conf",
    ),
    (
        "a directory below a file",
        {"file": [CONF], "directory": [DATA]},
        {"file": [CONF], "directory": [DATA | {"path": "/etc/app.conf/x"}]},
        "directory /etc/app.conf/x: is below the file /etc/app.conf",
    ),
    (
        "a generation of what is no secret",
        {"secret": True, "file": [CONF | {"path": "/s/{generation}/x"}]},
        {"file": [CONF | {"path": "/s/{generation}/x"}]},
        "file /s/{generation}/x: only a secret file can have {generation}",
    ),
    (
        "a directory of a generation",
        {"secret": True, "directory": [DATA]},
        {"secret": True, "directory": [DATA | {"path": "/s/{generation}"}]},
        "directory /s/{generation}: only a secret file",
    ),
    (
        "an owner without a stack",
        {"owner": "shop/prod/app"},
        {"owner": "app"},
        "owner: 'app' is not PROJECT/STACK/RESOURCE",
    ),
    (
        "an owner with too much",
        {"owner": "shop/prod/app"},
        {"owner": "shop/prod/app/x"},
        "owner: 'shop/prod/app/x' is not",
    ),
    (
        "an owner without a group",
        {"file": [CONF | {"owner": "0:0"}]},
        {"file": [CONF | {"owner": "root"}]},
        "owner 'root': no such",
    ),
    (
        "a database that is a folder",
        {"data": [TABLE | {"database": "app"}]},
        {"data": [FOLDER | {"database": "app"}]},
        "data folder: database is allowed only with save and drop",
    ),
    (
        "a copy that is made whole before",
        {"data": [FOLDER | {"before": ["true"]}]},
        {"data": [TABLE | {"before": ["true"]}]},
        "data table: before is allowed only with path",
    ),
    (
        "a copy with something after it",
        {"data": [FOLDER | {"after": ["true"]}]},
        {"data": [TABLE | {"after": ["true"]}]},
        "data table: after is allowed only with path",
    ),
    (
        "a probe of nothing",
        {"probe": [{"name": "p", "socket": "/s"}]},
        {"probe": [{"name": "p"}]},
        "probe p: give exactly one of exec, http, tcp, socket, unit",
    ),
    (
        "a probe of two things",
        {"probe": [{"name": "p", "http": "http://h/"}]},
        {"probe": [{"name": "p", "http": "http://h/", "exec": ["/bin/true"]}]},
        "probe p: give exactly one",
    ),
    (
        "a port alone",
        {"probe": [{"name": "p", "tcp": "[::1]:80"}]},
        {"probe": [{"name": "p", "tcp": "80"}]},
        "probe p: tcp '80' is not ADDRESS:PORT",
    ),
    (
        "an address alone",
        {"probe": [{"name": "p", "http": "http://h/", "connect": "h:80"}]},
        {"probe": [{"name": "p", "http": "http://h/", "connect": "::1"}]},
        "probe p: connect '::1' is not ADDRESS:PORT",
    ),
    (
        "a probe through a unit that no file reloads",
        {"file": [CONF | {"reloads": ["u.service"]}], "probe": [{"name": "p", "socket": "/s", "through": "u.service"}]},
        {
            "file": [CONF | {"restarts": ["u.service"]}],
            "probe": [{"name": "p", "socket": "/s", "through": "u.service"}],
        },
        "probe p: u.service is not a unit of another release",
    ),
    (
        "a probe through a unit of its own",
        {
            "file": [CONF | {"reloads": ["u.service"]}],
            "unit": [{"name": "v.service"}],
            "probe": [{"name": "p", "socket": "/s", "through": "u.service"}],
        },
        {
            "file": [CONF | {"reloads": ["u.service"]}],
            "unit": [{"name": "u.service"}],
            "probe": [{"name": "p", "socket": "/s", "through": "u.service"}],
        },
        "so it would never run",
    ),
    (
        "no time at all for a unit",
        {"deadline": 6, "probe": [{"name": "p", "unit": "u.service"}]},
        {"deadline": 6, "probe": [{"name": "p", "unit": "u.service", "seconds": 0}]},
        "probe p: 0 seconds are not between 1 and the deadline of 6",
    ),
    (
        "more time than there is",
        {"deadline": 6, "probe": [{"name": "p", "unit": "u.service"}]},
        {"deadline": 5, "probe": [{"name": "p", "unit": "u.service"}]},
        "probe p: 5 seconds are not between",
    ),
]


class Rules(unittest.TestCase):
    def test_each_rule_refuses_one_thing_and_lets_its_twin_pass(self):
        for about, good, bad, words in RULES:
            with self.subTest(about):
                load(manifest(**good))
                with self.assertRaises(Failure) as caught:
                    load(manifest(**bad))
                self.assertIn(words, str(caught.exception))
                self.assertEqual(caught.exception.code, REFUSED)

    def test_all_errors_are_reported_together(self):
        with self.assertRaises(Failure) as caught:
            load(manifest(deadline=0, file=[CONF | {"mode": "x"}], probe=[{"name": "p"}]))
        self.assertEqual(
            str(caught.exception),
            "the manifest is refused:\n"
            "  line 4, deadline: 0 is not a positive number of seconds\n"
            "  line 8, file /etc/app.conf: mode 'x' is not octal, such as 0640\n"
            "  line 12, probe p: give exactly one of exec, http, tcp, socket, unit",
        )

    def test_owners_are_names_or_numbers(self):
        self.assertEqual(owner_ids("root:root"), (0, 0))
        self.assertEqual(owner_ids("12:34"), (12, 34))


class TheStoredManifest(support.HostTest):
    def test_a_release_with_a_missing_owner_does_not_block_the_others(self):
        self.apply(release="gone", file=[file("etc/gone.conf", "x")])
        stored = support.STATE / "releases/gone/1/manifest.toml"
        stored.write_text(stored.read_text().replace(OWNER, "nobody-here:root"))
        self.apply(file=[file("etc/app.conf", "y")])
        self.assertEqual(support.live("etc/app.conf"), "y")


if __name__ == "__main__":
    unittest.main()
