"""A key is created once, and its certificate again if it is for something else."""

import os
import unittest
from pathlib import Path

from gatehouse.items import keys
from gatehouse.protocol.manifest import owner_ids
from tests.support import HostTest, at


class Keys(HostTest):
    def setUp(self):
        super().setUp()
        self.patch(keys, "FOLDER", Path(at("etc/gatehouse/keys")))
        self.patch(keys, "owner_ids", lambda owner: (0, os.getgid()) if owner == "root:root" else owner_ids(owner))

    def ensure(self, subject="a", address="10.0.0.11"):
        text = f'name = "host"\nsubject = "{subject}"\naddresses = ["{address}"]\n'
        return keys.ensure(text)["certificate"]

    def mode(self, name):
        return oct(os.stat(at(f"etc/gatehouse/keys/{name}")).st_mode & 0o777)

    def test_only_its_group_reads_the_key_and_everybody_the_certificate(self):
        certificate = self.ensure()
        self.assertIn("BEGIN CERTIFICATE", certificate)
        self.assertEqual((self.mode("host.key"), self.mode("host.crt")), ("0o640", "0o644"))

    def test_twice_is_once(self):
        self.assertEqual(self.ensure(), self.ensure())
        self.assertEqual(keys.look("host"), {"name": "host", "certificate": self.ensure()})

    def test_another_subject_or_address_has_another_certificate_of_the_same_key(self):
        first, key = self.ensure(), Path(at("etc/gatehouse/keys/host.key")).read_text()
        others = [self.ensure(subject="b"), self.ensure(subject="b", address="10.0.0.12")]
        self.assertEqual(len({first, *others}), 3)
        self.assertEqual(Path(at("etc/gatehouse/keys/host.key")).read_text(), key)

    def test_a_missing_or_foreign_certificate_is_replaced(self):
        first = self.ensure()
        os.remove(at("etc/gatehouse/keys/host.crt"))
        self.assertIsNone(keys.look("host"))
        again = self.ensure()
        self.assertNotEqual(first, again)
        os.remove(at("etc/gatehouse/keys/host.key"))
        self.assertNotEqual(self.ensure(), again)

    def test_what_is_not_an_address_is_refused_before_anything_is_created(self):
        with self.assertRaises(keys.Failure):
            self.ensure(address="10.0.0")
        self.assertFalse(os.path.exists(at("etc/gatehouse/keys/host.key")))


if __name__ == "__main__":
    unittest.main()
