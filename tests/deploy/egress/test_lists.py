"""The list of domains and the settings: what is taken, and what is said about what is wrong."""

import os
import pathlib
import subprocess
import tempfile
import unittest

from support import SOURCE

from allowlist import domains
from allowlist.settings import Settings, WrongSetting

RESOLV_CONF = "nameserver 192.0.2.53\n"


class Lists(unittest.TestCase):
    def test_names_and_suffixes_are_taken_in_any_case_with_comments_between(self):
        text = "# services\n\nExample.com\n  .Example.org   # and all below\nexample.com\nxn--bcher-kva.example\na-1.example\n"
        self.assertEqual(domains.read(text, "list"), ["example.com", ".example.org", "xn--bcher-kva.example", "a-1.example"])

    def test_what_a_suffix_covers_is_left_out_for_squid_would_not_start(self):
        self.assertEqual(domains.read(".a.example\na.example\nb.a.example\n.c.b.a.example\nba.example\n", "list"), [".a.example", "ba.example"])

    def test_each_wrong_entry_is_told_with_its_line_and_what_to_write(self):
        for value, wanted in {
            "https://example.com/path": "write example.com",
            "http://example.com:8080": "write example.com",
            "*.example.com": "write .example.com",
            "example.com:443": "port",
            "example.com/x": "path",
            "user@example.com": "user",
            "exam*ple.com": "wildcard",
            "example.com.": "write example.com",
            "com": "top-level",
            ".com": "top-level",
            "localhost": "top-level",
            "10.0.0.1": "names only",
            "[::1]": "names only",
            "::ffff:1.2.3.4": "names only",
            "3405803785": "names only",
            "0x7f.1": "names only",
            "1.2.3.0x4": "names only",
            "127.1": "names only",
            "-a.example": "label",
            "a-.example": "label",
            "a..example": "label",
            "..example": "label",
            "a_b.example": "label",
            "a b.example": "label",
            'a".example': "label",
            "x" * 64 + ".example": "label",
            ".".join(["x" * 60] * 5): "at most 253",
            "bücher.example": "xn--bcher-kva.example",
            ".bücher.example": ".xn--bcher-kva.example",
            "аllowed.example": "xn--llowed-",
        }.items():
            with self.subTest(value):
                with self.assertRaises(domains.WrongList) as raised:
                    domains.read(f"good.example\n{value}\n", "list")
                self.assertIn("list:2:", str(raised.exception))
                self.assertIn(wanted, str(raised.exception))

    def test_all_errors_are_told_at_once(self):
        with self.assertRaises(domains.WrongList) as raised:
            domains.read("com\ngood.example\n10.0.0.1\n", "list")
        self.assertEqual([line.split(":")[1] for line in str(raised.exception).split("\n")], ["1", "3"])

    def test_a_line_cannot_bring_a_directive_into_squids_configuration(self):
        for value in ("a.example\rhttp_access allow all", "a.example\x0bx", "a.example\x00", '"/etc/passwd"'):
            with self.assertRaises(domains.WrongList):
                domains.read(value, "list")


class Program(unittest.TestCase):
    def run_lists(self, content, *arguments, **environment):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "domains"
            path.write_text(content, encoding="utf-8")
            (pathlib.Path(folder) / "out").mkdir()
            done = subprocess.run([str(SOURCE / "lists"), str(path), *[argument.replace("OUT", f"{folder}/out") for argument in arguments]],
                                  capture_output=True, text=True, env={**os.environ, "EGRESS_RESOLVERS": "192.0.2.53", **environment})
            written = {file.name: file.read_text() for file in (pathlib.Path(folder) / "out").iterdir()}
            return done, written

    def test_it_writes_what_squid_and_the_resolver_read_and_nothing_is_left_to_fill_in(self):
        done, written = self.run_lists(".example.com\n", "--output", "OUT", EGRESS_CONNECT_PORTS="443,8443")
        self.assertEqual((done.returncode, sorted(written)), (0, ["canary", "domains", "squid.conf", "unbound.conf"]), done.stderr)
        self.assertEqual(written["domains"].split("\n")[0], ".example.com")
        self.assertNotRegex(written["squid.conf"] + written["unbound.conf"], r"@\w+@")
        self.assertIn("acl tunnel_ports port 443 8443\n", written["squid.conf"])
        self.assertIn("forward-addr: 192.0.2.53\n", written["unbound.conf"])

    def test_a_wrong_list_or_setting_writes_nothing(self):
        for content, setting in (("https://a.example\n", {}), ("a.example\n", {"EGRESS_HTTP_PORTS": "80; http_access"}), ("a.example\n", {"EGRESS_CLIENTS": "everybody"})):
            done, written = self.run_lists(content, "--output", "OUT", **setting)
            self.assertEqual((done.returncode, written), (2, {}))
            self.assertTrue(done.stderr)

    def test_an_empty_list_is_said_to_refuse_everything(self):
        done, written = self.run_lists("# none yet\n", "--output", "OUT")
        self.assertEqual(done.returncode, 0)
        self.assertIn("everything is refused", done.stderr)
        self.assertEqual(written["domains"].count("\n"), 1)

    def test_a_list_that_is_not_there_is_another_exit_code(self):
        done = subprocess.run([str(SOURCE / "lists"), "/nonexistent/domains"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)


class Environment(unittest.TestCase):
    def test_settings_that_are_wrong_are_named_with_their_value(self):
        for name, value in {
            "EGRESS_LISTEN": "3128 3129", "EGRESS_CONNECT_PORTS": "0", "EGRESS_HTTP_PORTS": "65536", "EGRESS_CLIENTS": "10.0.0.1/8",
            "EGRESS_RESOLVERS": "resolver.example", "EGRESS_ENCRYPTED_HELLO": "maybe", "EGRESS_LOG": "relative/log",
        }.items():
            with self.subTest(name), self.assertRaises(WrongSetting) as raised:
                Settings.read({name: value}, RESOLV_CONF)
            self.assertIn(f"{name}={value}", str(raised.exception))

    def test_the_machines_resolvers_are_asked_unless_others_are_named_and_never_the_proxys_own(self):
        self.assertEqual(Settings.read({}, RESOLV_CONF).resolvers, ["192.0.2.53"])
        self.assertEqual(Settings.read({"EGRESS_RESOLVERS": "192.0.2.1, 192.0.2.2"}, RESOLV_CONF).resolvers, ["192.0.2.1", "192.0.2.2"])
        self.assertEqual(Settings.read({}, "nameserver 127.0.0.11\n").resolvers, ["127.0.0.11"])
        with self.assertRaises(WrongSetting):
            Settings.read({}, "nameserver 127.0.0.1\n")


if __name__ == "__main__":
    unittest.main()
