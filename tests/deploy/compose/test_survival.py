"""Whatever is killed is back within five seconds, on both kinds of display, with nothing pressed and the applications' window there."""

import os
import signal
import time
import unittest

from strong import Desktop, desktop, wait_for

SECONDS = 5


class Survival(unittest.TestCase):
    def kill(self, target: Desktop, service: str, beginning: str) -> None:
        """Kills a process, and waits until it is another, the display answers and the terminal has its window."""
        before = target.process(service, beginning)
        epoch = target.call("display.info")["epoch"]
        started = time.monotonic()
        os.kill(before, signal.SIGKILL)

        def back() -> bool:
            now = [pid for pid, line in target.processes(service).items() if line.startswith(beginning)]
            if now == [] or before in now:
                return False
            info = target.call("display.info", check=False)
            return "epoch" in info and any(window["class"] == "DeskhandTerminal" for window in target.call("windows.list", check=False).get("windows", []))

        wait_for(f"{beginning} is back", 30, back)
        took = time.monotonic() - started
        self.assertLess(took, SECONDS, beginning)
        if beginning.startswith("Xvfb"):
            self.assertGreater(target.call("display.info")["epoch"], epoch)
        self.assertEqual(target.call("screenshot")["held"], {"buttons": [], "keys": []})

    def test_everything_in_turn(self) -> None:
        for cookie in ("untrusted", "trusted"):
            with desktop("--cookie", cookie) as target:
                target.terminal()
                for service, beginning in (("applications", "xterm"), ("display", "openbox"), ("display", "Xvfb"), ("display", "deskhand serve --"), ("display", "Xvfb")):
                    with self.subTest(cookie, killed=beginning):
                        self.kill(target, service, beginning)
                        target.typed_arrives("still here")

    def test_a_container_that_restarts_finds_its_display_again(self) -> None:
        for cookie in ("untrusted", "trusted"):
            with self.subTest(cookie), desktop("--cookie", cookie) as target:
                for service in ("display", "applications"):
                    target.compose("restart", "--timeout", "5", service)
                    target.typed_arrives(f"after {service}")

    def test_a_full_disk_and_a_fork_bomb_hit_the_applications_only(self) -> None:
        with desktop() as target:
            for folder in ("/tmp", "/workspace", "/dev/shm"):
                target.execute("applications", "sh", "-c", f"cat /dev/zero > {folder}/full; exit 0", check=False)
            target.execute("applications", "sh", "-c", "for each in 1 2 3; do (while :; do sleep 1000 & done) >/dev/null 2>&1 </dev/null & done; exit 0", check=False)
            limit = target.inspect("applications")["HostConfig"]["PidsLimit"]
            wait_for("the bomb has every process that there is", 30, lambda: len(target.processes("applications")) > limit - 8)
            for _ in range(10):
                self.assertIn("image", target.call("screenshot"))
            self.assertEqual(target.execute("display", "deskhand", "health").returncode, 0)


if __name__ == "__main__":
    unittest.main()
