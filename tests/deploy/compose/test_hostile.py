"""A hostile application tries to get at Deskhand, and gets nowhere; with a wall taken out it does, so it really tries."""

import secrets
import tomllib
import unittest

from strong import COMPOSE, Desktop, desktop, run, wait_for

ATTACK = (COMPOSE.parents[1] / "tests/deploy/compose/attack").read_text()
# The last user that the image has; the script hands out the first that are free.
ONE_USER = "71255"


def attack(target: Desktop, secret: str, last: str = "no") -> set[str]:
    """What the attack in the applications' container says that it got hold of. With `last` it kills whatever it may in the end;
    where that is everything, the container ends under it and its client waits for nothing."""
    (token,) = tomllib.loads((target.directory / "access/tokens.toml").read_text())["token"]
    inside = target.execute("display", "sh", "-c", "cd /proc; for each in [0-9]*; do read -r name <$each/comm && case $name in deskhand|Xvfb) echo $each;; esac; done").stdout.split()
    outside = [str(pid) for pid, line in target.processes("display").items() if line.startswith(("deskhand", "Xvfb"))]
    # By standard input: nothing of it is in a file that it could find.
    command = ["docker", "exec", "--interactive", target.container("applications"), "bash", "-s", last, token["sha256"], secret, *inside, *outside]
    # 137: its own last signal.
    done = run(*command, input=ATTACK, check=False, timeout=120)
    if done.returncode not in (0, 137):
        raise AssertionError(f"the attack ended with {done.returncode}: {done.stderr}")
    return set(done.stdout.splitlines())


def survivors(target: Desktop) -> dict[int, str]:
    return {pid: line for pid, line in target.processes("display").items() if line.startswith(("deskhand", "Xvfb", "openbox"))}


class Hostile(unittest.TestCase):
    def test_it_gets_nowhere(self) -> None:
        for cookie in ("untrusted", "trusted"):
            secret = secrets.token_hex(16)
            with self.subTest(cookie), desktop("--cookie", cookie, secret=secret) as target:
                # The secret is there: Deskhand knows it by name.
                self.assertEqual([each["name"] for each in target.call("secret.list")["secrets"]], ["shop"])
                target.terminal()
                before = survivors(target)
                self.assertGreaterEqual(len(before), 4)
                terminal = target.process("applications", "xterm")
                self.assertEqual(attack(target, secret, "yes"), set())
                # Everything that it may signal is gone, and that is nothing of the display's.
                wait_for("the terminal is gone", 10, lambda target=target, terminal=terminal: not target.processes("applications").get(terminal, "").startswith("xterm"))
                self.assertEqual(survivors(target), before)
                self.assertTrue(target.call("ping") is not None)

    def breach(self, *expected: str, override: str = "services: {}", one_user: bool = False) -> None:
        """With this written over the compose file the attack finds these."""
        secret = secrets.token_hex(16)
        # A desktop is made anew, so its users are known only then: the display's is the first of this pair.
        settings = {"DESKTOP_DISPLAY_UID": ONE_USER, "DESKTOP_APPLICATIONS_UID": ONE_USER} if one_user else None
        with desktop(override=override, settings=settings, secret=secret) as target:
            wait_for("the applications' container works", 30, lambda: [line for line in target.processes("applications").values() if line.startswith("xterm")])
            found = attack(target, secret)
            for beginning in expected:
                self.assertTrue(any(line.startswith(beginning) for line in found), f"{beginning} is not among {found}")

    def test_files_of_the_display_would_be_found(self) -> None:
        override = "services: {applications: {volumes: ['${DESKTOP_DIRECTORY}/access:/run/access:ro']}}"
        self.breach("hash in /run/access/tokens.toml", "secret in /run/access/secrets.jsonl", "file /run/access/audit.key", override=override)

    def test_a_control_socket_would_be_found(self) -> None:
        # And used, when the user is the display's: a socket of Deskhand's is its user's alone.
        override = "services: {applications: {volumes: ['${DESKTOP_DIRECTORY}/control:/run/deskhand']}}"
        self.breach("control /run/deskhand/deskhand.sock", override=override, one_user=True)

    def test_one_process_space_and_one_user_would_be_deadly(self) -> None:
        override = "services: {applications: {pid: 'service:display'}}"
        self.breach("sees deskhand", "may signal deskhand", "may signal Xvfb", "memory of Xvfb", override=override, one_user=True)

    def test_one_process_space_would_be_seen(self) -> None:
        self.breach("sees deskhand", "sees Xvfb", override="services: {applications: {pid: 'service:display'}}")

    def test_volumes_that_can_be_written_are_refused(self) -> None:
        for volume, path in (("x11", "/tmp/.X11-unix"), ("cookie", "/run/cookie")):
            override = f"services: {{applications: {{volumes: ['{volume}:{path}:nocopy']}}}}"
            settings = {"DESKTOP_DISPLAY_UID": ONE_USER, "DESKTOP_APPLICATIONS_UID": ONE_USER}
            with self.subTest(volume), desktop(override=override, settings=settings) as target:
                refusal = f"{path} can be written: mount the display's volume read-only"
                wait_for("a refusal", 20, lambda target=target, refusal=refusal: refusal in target.compose("logs", "applications").stdout)


if __name__ == "__main__":
    unittest.main()
