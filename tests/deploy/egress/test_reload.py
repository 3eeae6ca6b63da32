"""The list changes while the proxy runs: what is asked for goes by it at once, and nothing else is disturbed."""

import atexit
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest

from support import SOURCE, from_applications

from bypass import lab, places
from bypass.probe import Probe, first_line, head, read

PROXY = (lab.PROXY_INSIDE, lab.PROXY_PORT)


def status(host: str) -> str:
    return first_line(Probe(PROXY).get(f"http://{host}/"))


def tunnel(host: str) -> ssl.SSLSocket:
    connection = socket.create_connection(PROXY, 10)
    connection.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
    assert b" 200 " in head(connection)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(connection, server_hostname=host)


def ask(secure: ssl.SSLSocket) -> bool:
    """Whether the tunnel still carries a request and its answer."""
    try:
        secure.sendall(f"GET / HTTP/1.1\r\nHost: {places.ALLOWED}\r\n\r\n".encode())
        return b" 200 " in read(secure, 1)[:20]
    except OSError:
        return False


class Reload(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = lab.Lab(SOURCE)
        # An end from outside leaves out what unittest does at the end of a class.
        atexit.register(cls.lab.close)
        cls.lab.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.lab.close()

    def setUp(self):
        self.assertEqual(self.reload(places.LIST).returncode, 0)

    def reload(self, content, *arguments):
        self.lab.list.write_text(content)
        environment = {**os.environ, "EGRESS_RUN": str(self.lab.run), "EGRESS_LIST": str(self.lab.list)}
        return subprocess.run([str(SOURCE / "reload"), *arguments], env=environment, capture_output=True, text=True, timeout=30)

    def status(self, host):
        return from_applications(self.lab, lambda: status(host))

    def test_what_is_added_is_reached_and_what_is_removed_is_not_as_soon_as_reload_returns(self):
        for _ in range(5):
            self.assertIn(" 403 ", self.status(places.EVIL))
            self.assertIn(" 200 ", self.status(places.ALLOWED))
            self.assertEqual(self.reload(f"{places.EVIL}\n").returncode, 0)
            self.assertIn(" 200 ", self.status(places.EVIL))
            self.assertIn(" 403 ", self.status(places.ALLOWED))
            self.assertEqual(self.reload(places.LIST).returncode, 0)

    def test_a_wrong_list_says_what_is_wrong_and_changes_nothing(self):
        done = self.reload(f"{places.EVIL}\nhttps://wrong.example/\n")
        self.assertEqual(done.returncode, 2)
        self.assertIn("domains:2: 'https://wrong.example/': a name, not a URL: write wrong.example", done.stderr)
        self.assertIn(" 403 ", self.status(places.EVIL))
        self.assertIn(" 200 ", self.status(places.ALLOWED))

    def test_a_signal_alone_with_a_wrong_list_changes_nothing_either(self):
        self.lab.list.write_text("https://wrong.example/\n")
        (self.lab.run / "reloaded").unlink()
        os.kill(int((self.lab.run / "entrypoint.pid").read_text()), signal.SIGHUP)
        until = time.monotonic() + 20
        while not (self.lab.run / "reloaded").exists():
            self.assertLess(time.monotonic(), until, "nothing came of the signal")
            time.sleep(0.05)
        self.assertEqual((self.lab.run / "reloaded").read_text(), "2\n")
        self.assertIn(" 200 ", self.status(places.ALLOWED))

    def test_open_tunnels_go_on_and_cut_ends_them(self):
        def over_a_reload(*arguments):
            with tunnel(places.ALLOWED) as secure:
                self.assertTrue(ask(secure))
                done = self.reload(f"{places.EVIL}\n", *arguments)
                return [done.returncode, ask(secure), status(places.ALLOWED)]

        code, goes_on, new = from_applications(self.lab, lambda: over_a_reload())
        self.assertEqual((code, goes_on), (0, True))
        self.assertIn(" 403 ", new)
        self.assertEqual(self.reload(places.LIST).returncode, 0)
        code, goes_on, new = from_applications(self.lab, lambda: over_a_reload("--cut"))
        self.assertEqual((code, goes_on), (0, False))
        self.assertIn(" 403 ", new)

    def test_who_asks_meanwhile_waits_or_is_turned_away_for_a_moment_and_never_gets_what_is_not_listed(self):
        def under_load():
            stop, failures, wrong = threading.Event(), [], []

            def listed():
                while not stop.is_set():
                    begun = time.monotonic()
                    try:
                        if " 200 " not in status(places.ALLOWED):
                            failures.append(begun)
                    except OSError:
                        failures.append(begun)

            def unlisted():
                while not stop.is_set():
                    try:
                        line = status(places.EVIL)
                        if line and " 403 " not in line:
                            wrong.append(line)
                    except OSError:
                        continue

            threads = [threading.Thread(target=run) for run in (listed, unlisted)]
            for thread in threads:
                thread.start()
            codes = [self.reload(places.LIST + f"new{number}.example\n").returncode for number in range(5)]
            stop.set()
            for thread in threads:
                thread.join()
            longest = max((last - first for first, last in spans(failures)), default=0)
            return [codes, wrong, longest]

        codes, wrong, longest = from_applications(self.lab, under_load)
        self.assertEqual((codes, wrong), ([0] * 5, []))
        # Squid closes its port while it reads; tenths of a second on an idle machine.
        self.assertLess(longest, 3)

    def test_no_proxy_is_said(self):
        done = subprocess.run([str(SOURCE / "reload")], env={**os.environ, "EGRESS_RUN": "/nonexistent"}, capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nonexistent/entrypoint.pid", done.stderr)


def spans(times: list[float]) -> list[tuple[float, float]]:
    """Runs of times that are less than half a second apart."""
    found: list[tuple[float, float]] = []
    for moment in times:
        if found and moment - found[-1][1] < 0.5:
            found[-1] = (found[-1][0], moment)
        else:
            found.append((moment, moment))
    return found


class Ends(unittest.TestCase):
    """The proxy is all or nothing: without its resolver or squid it ends, so that whoever watches it starts it anew."""

    def test_it_ends_when_a_part_of_it_is_killed_and_stops_in_order(self):
        for victim in ("squid", "unbound", None):
            with self.subTest(victim), lab.Lab(SOURCE) as built:
                pids = {name: children(built.entrypoint.pid, name) for name in ("squid", "unbound")}
                self.assertTrue(all(pids.values()))
                if victim:
                    os.kill(pids[victim], signal.SIGKILL)
                    self.assertEqual(built.entrypoint.wait(20), 1)
                    self.assertIn("stopping", built.said.read_text())
                else:
                    built.entrypoint.terminate()
                    self.assertEqual(built.entrypoint.wait(20), 0)
                self.assertFalse(any(os.path.exists(f"/proc/{pid}") for pid in pids.values()))

    def test_the_log_does_not_grow_without_end(self):
        with lab.Lab(SOURCE, {"EGRESS_LOG_BYTES": "300", "EGRESS_LOG_CHECK_S": "1"}) as built:
            def requests():
                until = time.monotonic() + 20
                while not (built.run / "access.log.0").exists():
                    assert time.monotonic() < until, "the log was not rotated"
                    status(places.ALLOWED)
                return status(places.EVIL)

            self.assertIn(" 403 ", from_applications(built, requests))
            # Squid goes on in a file of the old name; the line may by now be in the one before.
            until = time.monotonic() + 20
            while not any("evil.example" in path.read_text() for path in built.run.glob("access.log*")):
                self.assertLess(time.monotonic(), until, "nothing is logged after the log was rotated")
                time.sleep(0.05)
            self.assertLessEqual(len(list(built.run.glob("access.log*"))), 3)


def children(parent: int, name: str) -> int:
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8") as file:
                    begin, _, rest = file.read().rpartition(")")
            except OSError:
                continue
            if int(rest.split()[1]) == parent and begin.split("(", 1)[1] == name:
                return int(entry)
    return 0


if __name__ == "__main__":
    unittest.main()
