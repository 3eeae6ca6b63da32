"""What works across the two containers: pictures by shared memory, typing that loses nothing, and what a cookie is worth."""

import base64
import json
import re
import unittest

from strong import PROGRAM, TEXT, Desktop, desktop, run, wait_for


class Untrusted(unittest.TestCase):
    """The default: Deskhand on a display that it does not own, applications that the X server does not trust."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.desktop = cls.enterClassContext(desktop())
        cls.desktop.terminal()

    def application(self, *command: str) -> tuple[int, str]:
        """A program as the applications' container runs them."""
        done = self.desktop.execute("applications", "env", "XAUTHORITY=/run/cookie/xauthority", *command, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_every_character_arrives(self) -> None:
        self.desktop.typed_arrives("only the layout, 0-9 AZ az {[]}")
        self.desktop.typed_arrives(TEXT)

    def test_a_paste_arrives(self) -> None:
        self.desktop.call("type", text="cat > /workspace/pasted\n")
        wait_for("cat", 10, lambda: "cat" in self.desktop.processes("applications").values())
        self.desktop.call("paste", text=TEXT)
        self.desktop.call("key", text="Return")
        self.desktop.call("key", text="ctrl+d")
        wait_for("the pasted text", 10, lambda: self.desktop.execute("applications", "cat", "/workspace/pasted", check=False).stdout == TEXT + "\n")

    def test_pictures_show_what_applications_draw(self) -> None:
        before = self.desktop.call("screenshot")["frame"]
        seen = self.desktop.call("type", text="clear; printf '\\033[41m%s\\033[0m' '                    '\n", _meta={"observe": {"expect": "change"}})
        self.assertNotEqual(seen["frame"], before)
        self.assertEqual(seen["settled"]["reason"], "quiet")

    def test_extensions_that_give_power_are_hidden(self) -> None:
        status, said = self.application("xdpyinfo")
        self.assertEqual(status, 0, said)
        listed = re.search(r"number of extensions: .*\n((?: {4}\S.*\n)+)", said)
        self.assertEqual({line.strip() for line in listed[1].splitlines()}, {"BIG-REQUESTS", "XC-MISC"})
        # Deskhand's own connection has them all.
        self.assertIn("XTEST", self.desktop.call("display.info")["extensions"])

    def test_what_trusted_programs_have_is_out_of_reach(self) -> None:
        # The root window's properties, by which programs tell each other things.
        _, said = self.application("xprop", "-root", "-f", "MINE", "8s", "-set", "MINE", "1")
        self.assertIn("BadAccess", said)
        # The window manager's connection.
        _, listed = self.application("xprop", "-root", "_NET_SUPPORTING_WM_CHECK")
        window = re.search(r"0x[0-9a-f]+", listed)[0]
        before = self.desktop.process("display", "openbox")
        _, said = self.application("xkill", "-id", window)
        self.assertIn("X Error", said)
        self.assertEqual(self.desktop.process("display", "openbox"), before)

    def test_the_cookie_buys_no_better_one(self) -> None:
        _, said = self.application("xauth", "-f", "/tmp/mine", "generate", ":99", ".", "trusted")
        self.assertIn("Security extension", said)
        self.assertNotIn("MIT-MAGIC-COOKIE-1", self.application("xauth", "-f", "/tmp/mine", "list")[1])

    def test_the_host_says_that_the_display_is_not_its_own(self) -> None:
        self.assertFalse(self.desktop.call("display.info")["owned"])


class Trusted(unittest.TestCase):
    """Deskhand owns the display, with its wide keymap; applications may do what X clients may."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.desktop = cls.enterClassContext(desktop("--cookie", "trusted"))
        cls.desktop.terminal()

    def test_every_character_arrives(self) -> None:
        self.assertTrue(self.desktop.call("display.info")["owned"])
        self.desktop.typed_arrives(TEXT)

    def test_a_trusted_client_has_the_extensions(self) -> None:
        said = self.desktop.execute("applications", "env", "XAUTHORITY=/run/cookie/xauthority", "xdpyinfo").stdout
        self.assertIn("MIT-SHM", said)
        self.assertIn("XTEST", said)


class SharedMemory(unittest.TestCase):
    """A second Deskhand, in the applications' container: another IPC space, network and root than the X server."""

    def test_shared_memory_is_captured_across_containers(self) -> None:
        # One user and one process space, because Deskhand attaches only to an X server of its own user that it can see. One of the
        # last users that the image has; the script hands out the first that are free.
        one_user = {"DESKTOP_DISPLAY_UID": "71254", "DESKTOP_APPLICATIONS_UID": "71254"}
        with desktop("--cookie", "trusted", override="services: {applications: {pid: 'service:display'}}", settings=one_user) as target:
            self.capture(target)

    def capture(self, target: Desktop) -> None:
        # With it the cookie is there.
        target.terminal()
        xvfb = target.process("display", "Xvfb")

        def shared() -> int:
            # Deskhand's pictures lie in memory that it gave the X server by a descriptor (a memfd).
            with open(f"/proc/{xvfb}/maps", encoding="ascii") as maps:
                return sum("/memfd:" in line for line in maps)

        ours = target.call("screenshot")
        before = shared()
        token = run(PROGRAM, "token", "new", target.directory / "second").stdout
        digest = re.search(r"[0-9a-f]{64}", token)[0]
        name = target.container("applications")
        # The image's environment has the size for a display of its own.
        serve = ["env", "--unset=DESKHAND_XVFB", "deskhand", "serve", "--display", ":99", "--xauthority", "/run/cookie/xauthority", "--listen", "unix:/tmp/second.sock", "--token-sha256", digest]
        run("docker", "exec", "--detach", name, *serve)
        wait_for("the second Deskhand", 20, lambda: target.execute("applications", "deskhand", "health", "--socket", "/tmp/second.sock", check=False).returncode == 0)
        secret = (target.directory / "second").read_text().strip()
        # By a file in memory of the container: the program takes a token from nothing else.
        target.execute("applications", "sh", "-c", f"umask 077; printf %s {secret} > /tmp/second.token")
        call = ["deskhand", "call", "screenshot", "--socket", "/tmp/second.sock", "--token-file", "/tmp/second.token", "-o", "/tmp/second.png"]
        theirs = json.loads(target.execute("applications", *call).stdout)
        self.assertEqual((theirs["image"]["width"], theirs["image"]["height"]), (ours["image"]["width"], ours["image"]["height"]))
        self.assertEqual(shared(), before + 1)
        # And it is the picture: byte for byte what the first one sees of the same screen.
        run(PROGRAM, "call", "screenshot", "--socket", target.directory / "control/deskhand.sock", "--token-file", target.token, "-o", target.directory / "first.png")
        encoded = target.execute("applications", "base64", "-w0", "/tmp/second.png").stdout
        self.assertEqual(base64.b64decode(encoded), (target.directory / "first.png").read_bytes())


if __name__ == "__main__":
    unittest.main()
