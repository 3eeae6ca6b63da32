"""The bypass list against the configuration as it is, what its log says, and that nothing of the check is left behind."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

from support import SOURCE, check, verdicts

KEYS = ["time", "client", "method", "host", "port", "sni", "verdict", "reason", "status", "error"]
REASONS = {"listed", "not_listed", "port", "address", "scheme", "method", "manager", "client", "server_name", "no_server_name", "encrypted_hello", "not_tls", "malformed", "unchecked"}
# A row, and what its attempt has to be in the log as: host, SNI, verdict, reason.
LOGGED = [
    ("unlisted-http", "evil.example", "-", "denied", "not_listed"),
    ("unlisted-https", "evil.example", "-", "denied", "not_listed"),
    ("sni-other", "allowed.example", "evil.example", "denied", "server_name"),
    ("sni-none", "allowed.example", "-", "denied", "no_server_name"),
    ("ech", "allowed.example", "allowed.example", "denied", "encrypted_hello"),
    ("not-tls-ssh", "allowed.example", "-", "denied", "not_tls"),
    ("name-to-mapped-https", "v6-", "-", "denied", "address"),
    ("port-25-connect", "allowed.example", "-", "denied", "port"),
    ("method-TRACE", "allowed.example", "-", "denied", "method"),
    ("scheme-ftp", "allowed.example", "-", "denied", "scheme"),
    ("space-http", "-", "-", "denied", "malformed"),
]


def left(folder: str) -> set[str]:
    """Folders in a folder, and processes that have it in their arguments."""
    found = {str(path) for path in pathlib.Path(folder).iterdir()}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if folder.encode() in line:
                found.add(f"{entry.name} {line!r}")
    return found


class Right(unittest.TestCase):
    def test_every_row_is_as_it_should_be_and_every_attempt_is_logged(self):
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder) / "access.log"
            result = check(SOURCE, "--log", str(log))
            lines = [json.loads(line) for line in log.read_text().splitlines()]
        bad = [one for one in result["results"] if one["verdict"] in ("HOLE", "BROKEN")]
        self.assertEqual((bad, result["code"], result["holes"], result["broken"]), ([], 0, 0, 0))
        # Every row that reached the list: a run that tries nothing must not look like this one.
        self.assertGreater(len(result["results"]), 200)
        self.assertGreater(len(verdicts(result, "allowed as it should")), 10)
        for line in lines:
            self.assertEqual(list(line), KEYS)
            self.assertIn(line["verdict"], ("allowed", "denied"))
            self.assertIn(line["reason"], REASONS)
            self.assertEqual(line["client"], "10.200.0.2")
            self.assertEqual(line["reason"] == "listed", line["verdict"] == "allowed")
        # All reasons but that for clients of other networks, and one that is seen only on a machine that is too busy.
        self.assertEqual({line["reason"] for line in lines} | {"unchecked"}, REASONS - {"client"})

    def test_each_attempt_has_one_line_with_host_name_and_reason(self):
        for row, host, name, verdict, reason in LOGGED:
            with self.subTest(row), tempfile.TemporaryDirectory() as folder:
                log = pathlib.Path(folder) / "access.log"
                self.assertEqual(check(SOURCE, "--only", row, "--log", str(log))["code"], 0)
                lines = [json.loads(line) for line in log.read_text().splitlines()]
                # The rest are the check's own questions for evidence.
                tried = [line for line in lines if not (line["method"] == "GET" and line["host"] == "allowed.example" and line["verdict"] == "allowed")]
                self.assertEqual([(line["sni"], line["verdict"], line["reason"]) for line in tried], [(name, verdict, reason)])
                self.assertTrue(tried[0]["host"].startswith(host))

    def test_a_client_of_another_network_gets_nothing(self):
        done = subprocess.run([str(SOURCE / "check"), "--only", "listed-http", "--setting", "EGRESS_CLIENTS=192.0.2.0/24"], capture_output=True, text=True, timeout=120)
        # The lab itself asks through the proxy whether it is ready, and is refused as everybody else.
        self.assertEqual(done.returncode, 3)
        self.assertIn("the proxy is not ready", done.stderr)


class Interface(unittest.TestCase):
    def run_check(self, *arguments):
        return subprocess.run([str(SOURCE / "check"), *arguments], capture_output=True, text=True, timeout=60)

    def test_help_rows_and_usage(self):
        self.assertIn("HOLE", self.run_check("--help").stdout)
        self.assertGreater(len(self.run_check("--list").stdout.splitlines()), 200)
        self.assertEqual(self.run_check("--only", "no-such-row").returncode, 2)
        self.assertEqual(self.run_check("--proxy", "nowhere").returncode, 2)

    def test_a_proxy_that_is_not_there_is_no_verdict(self):
        done = self.run_check("--proxy", "127.0.0.1:1")
        self.assertEqual((done.returncode, done.stdout), (3, ""))


class LeftBehind(unittest.TestCase):
    def ends(self, number):
        """What is left when a check in a folder of its own gets a signal in the middle of its rows."""
        with tempfile.TemporaryDirectory(prefix="egress-left-") as folder:
            # The proxy in there is another user's.
            os.chmod(folder, 0o755)
            with subprocess.Popen([str(SOURCE / "check")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "TMPDIR": folder}) as running:
                try:
                    self.assertIn("as it should", running.stdout.readline())
                    begun = left(folder)
                    self.assertTrue(any("squid" in one for one in begun) and any("unbound" in one for one in begun), begun)
                    running.send_signal(number)
                    running.wait(30)
                finally:
                    running.kill()
            # The kernel ends children of a killed process after it, one by one.
            until = time.monotonic() + 10
            while time.monotonic() < until and any(not one.startswith("/") for one in left(folder)):
                time.sleep(0.05)
            return left(folder)

    def test_nothing_is_left_after_an_orderly_end(self):
        self.assertEqual(self.ends(signal.SIGTERM), set())
        self.assertEqual(self.ends(signal.SIGINT), set())

    def test_a_kill_leaves_a_folder_and_no_process(self):
        left_behind = self.ends(signal.SIGKILL)
        self.assertTrue(all(one.startswith("/") for one in left_behind), left_behind)


if __name__ == "__main__":
    unittest.main()
