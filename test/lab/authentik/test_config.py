"""The stand-in reads settings like authentik. Run with python3 -m unittest discover -s test/lab/authentik"""
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent / "lifecycle"))

import config  # noqa: E402
import forwarded  # noqa: E402
import versions  # noqa: E402

SECRET = {"AUTHENTIK_SECRET_KEY": "x" * 50}
OLD, NEW = "2026.2.1", "2026.8.3"


def read(version: str, **environ: str) -> dict:
    return config.load({**SECRET, **{f"AUTHENTIK_{name}": value for name, value in environ.items()}}, version)[0]


class Values(unittest.TestCase):
    def refused(self, version: str, why: str, **environ: str) -> None:
        with self.assertRaisesRegex(config.Refused, why):
            read(version, **environ)

    def test_texts_that_python_and_rust_read_apart(self) -> None:
        for value in ["12345678", "1e5", "+5", ".5", "inf", "true", "True", "null", "NaN", '"x"', "'x'", "", " ", " x", "[1]"]:
            self.refused(NEW, "POSTGRESQL__USER=", POSTGRESQL__USER=value)

    def test_python_alone_strips_quotes_and_refuses_what_json_makes_no_text(self) -> None:
        self.assertEqual(read(OLD, POSTGRESQL__USER='"x"')["postgresql.user"], "x")
        self.assertEqual(read(OLD, POSTGRESQL__USER=" x")["postgresql.user"], " x")
        self.refused(OLD, "makes this a int", POSTGRESQL__USER="12345678")

    def test_numbers(self) -> None:
        self.assertEqual(read(NEW, POSTGRESQL__PORT="5433")["postgresql.port"], 5433)
        for value in ["true", "5.5", "x", "null"]:
            self.refused(NEW, "whole number", POSTGRESQL__PORT=value)

    def test_booleans(self) -> None:
        self.assertIs(read(NEW, OUTPOSTS__DISCOVER="false")["outposts.discover"], False)
        for value in ["False", "1", "yes"]:
            self.refused(NEW, "true and false", OUTPOSTS__DISCOVER=value)
        self.assertIs(read(OLD, OUTPOSTS__DISCOVER="True")["outposts.discover"], True)

    def test_listening(self) -> None:
        self.assertEqual(read(NEW)["listen.http"], [("::", 9000)])
        self.assertEqual(read(OLD)["listen.http"], [("0.0.0.0", 9000)])
        self.assertEqual(read(NEW, LISTEN__HTTP="127.0.0.1:9001,[::1]:9001")["listen.http"], [("127.0.0.1", 9001), ("::1", 9001)])
        self.assertEqual(read(OLD, LISTEN__HTTP=":9001")["listen.http"], [("0.0.0.0", 9001)])
        for value in [":9000", "localhost:9000", "9000", "127.0.0.1", "127.0.0.1:99999"]:
            self.refused(NEW, "ip:port", LISTEN__HTTP=value)

    def test_networks_replace_the_defaults(self) -> None:
        networks = read(NEW, LISTEN__TRUSTED_PROXY_CIDRS="10.89.0.1/24,::1/128")["listen.trusted_proxy_cidrs"]
        self.assertEqual([str(network) for network in networks], ["10.89.0.0/24", "::1/128"])
        self.refused(NEW, "/length", LISTEN__TRUSTED_PROXY_CIDRS="10.89.0.1")

    def test_sections_and_unknown_names(self) -> None:
        for name in ["POSTGRESQL", "LOG", "LISTEN"]:
            self.refused(OLD, "whole section", **{name: "x"})
        self.assertEqual(config.load({**SECRET, "AUTHENTIK_POSTGRES__HOST": "x", "AUTHENTIK_STANDIN_VERSION": NEW}, NEW)[1], ["AUTHENTIK_POSTGRES__HOST"])

    def test_secrets_are_never_repeated(self) -> None:
        for name in ["POSTGRESQL__PASSWORD", "SECRET_KEY", "CACHE__URL", "EMAIL__PASSWORD", "BOOTSTRAP_PASSWORD"]:
            with self.assertRaises(config.Refused) as raised:
                read(NEW, **{name: "'hunter2'"})
            self.assertNotIn("hunter2", str(raised.exception))

    def test_what_no_value_shows_alone(self) -> None:
        self.refused(OLD, "secret key missing", SECRET_KEY="")
        self.refused(NEW, "no TLS", POSTGRESQL__HOST="/run/postgresql", POSTGRESQL__SSLMODE="require")
        self.refused(NEW, "keep one", BOOTSTRAP_PASSWORD="a", BOOTSTRAP_PASSWORD_HASH="b")
        self.refused("2025.8.4", "not a Redis URL", CACHE__URL="/run/valkey/valkey.sock")
        self.refused("2025.8.4", "not a Redis URL", CHANNEL__URL="unix:/run/valkey/valkey.sock")


class Pointers(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name, "secret")
        self.file.write_text(" 12345678\n")

    def test_file_contents_are_stripped_and_stay_text(self) -> None:
        for version in OLD, NEW:
            self.assertEqual(read(version, POSTGRESQL__PASSWORD=f"file://{self.file}")["postgresql.password"], "12345678")

    def test_missing_file(self) -> None:
        self.assertEqual(read(NEW, POSTGRESQL__PASSWORD="file:///missing?fallback")["postgresql.password"], "fallback")
        with self.assertRaisesRegex(config.Refused, "cannot read /missing"):
            read(NEW, POSTGRESQL__PASSWORD="file:///missing")

    def test_paths_rust_would_not_find(self) -> None:
        with self.assertRaisesRegex(config.Refused, "only letters"):
            read(NEW, POSTGRESQL__PASSWORD="file:///a b")

    def test_environment(self) -> None:
        self.assertEqual(config.load({**SECRET, "AUTHENTIK_EMAIL__HOST": "env://MAIL?localhost", "MAIL": "m"}, NEW)[0]["email.host"], "m")
        self.assertEqual(read(NEW, EMAIL__HOST="env://MAIL?localhost")["email.host"], "localhost")
        self.assertEqual(config.load({**SECRET, "POSTGRES_PASSWORD": "p"}, NEW)[0]["postgresql.password"], "p")

    def test_bootstrap_values_are_no_pointers(self) -> None:
        with self.assertRaisesRegex(config.Refused, "do not work"):
            read(NEW, BOOTSTRAP_PASSWORD=f"file://{self.file}")


class Forwarded(unittest.TestCase):
    trusted = read(NEW, LISTEN__TRUSTED_PROXY_CIDRS="10.89.0.0/24,127.0.0.0/8")["listen.trusted_proxy_cidrs"]
    headers = {"Host": "in", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "out", "X-Forwarded-For": "6.6.6.6, 1.2.3.4, 127.0.0.1"}

    def test_from_a_trusted_proxy(self) -> None:
        for peer in "10.89.0.1", "::ffff:10.89.0.1":
            self.assertEqual(forwarded.origin(peer, self.headers, self.trusted), {"scheme": "https", "host": "out", "client": "1.2.3.4", "peer": "10.89.0.1"})

    def test_from_anybody_else(self) -> None:
        self.assertEqual(forwarded.origin("9.9.9.9", self.headers, self.trusted), {"scheme": "http", "host": "in", "client": "9.9.9.9", "peer": "9.9.9.9"})

    def test_without_headers(self) -> None:
        self.assertEqual(forwarded.origin("10.89.0.1", {"Host": "in"}, self.trusted)["client"], "10.89.0.1")


class Versions(unittest.TestCase):
    def test_order(self) -> None:
        self.assertEqual(versions.steps("2025.8.4", "2025.10.0"), 1)
        self.assertTrue(versions.at_least("2025.10.1", "2025.8"))
        with self.assertRaisesRegex(ValueError, "no known series"):
            versions.series("2024.1.1")


if __name__ == "__main__":
    unittest.main()
