"""A controller's work through both ways into the container: the socket in a directory of the host, and `docker exec`."""

import base64
import hashlib
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import tempfile
import unittest
import uuid

import png
import websocket
from desktop import DESKHAND, IMAGE, RUN, Desktop, DesktopCase, docker, eventually

# As the image's Dockerfile and terminal have them.
SIZE = (1280, 800)
TERMINAL_BACKGROUND = bytes.fromhex("11161c")


class BothWays(DesktopCase):
    def test_the_socket_gives_a_picture_of_the_desktop(self):
        picture = self.desktop.picture()
        self.assertEqual((picture.width, picture.height), SIZE)
        colours = picture.colours()
        # The terminal covers 44 % of half the screen (xvfb/openbox.xml), and a prompt stands in it.
        self.assertGreater(colours.get(TERMINAL_BACKGROUND, 0), 0.1 * SIZE[0] * SIZE[1])
        self.assertGreater(len(colours), 20, "a title and a prompt have more colours than that")

    def test_the_socket_clicks_and_types_and_the_shell_has_it(self):
        self.desktop.shell_writes("grüße, мир, 世界 – by the socket")

    def test_docker_exec_gives_a_picture_clicks_and_types(self):
        window, _ = self.desktop.wait_for_terminal()
        with self.desktop.connect() as session:
            shot = session.call("screenshot")["image"]
            data = base64.b64decode(shot["data"])
            self.assertEqual((shot["mime"], len(data)), ("image/png", shot["bytes"]))
            picture = png.Picture(data)
            self.assertEqual((picture.width, picture.height), SIZE)
            self.assertGreater(picture.colours().get(TERMINAL_BACKGROUND, 0), 1000)
            answer = session.call("left_click", coordinate=[window["x"] + 30, window["y"] + 60])
            self.assertEqual(answer["cursor"], [window["x"] + 30, window["y"] + 60])
            session.call("type", text="printf '%s' 'by docker exec, ñandú' > /workspace/by-exec\n")
        eventually(lambda: self.desktop.read("/workspace/by-exec") == "by docker exec, ñandú", 15, "the shell wrote the file")

    def test_a_wrong_token_gets_in_by_neither(self):
        with self.assertRaisesRegex(ConnectionRefusedError, "401"):
            self.desktop.connect(token="0" * 64)
        wrong = self.desktop.folder / "wrong"
        wrong.write_text("0" * 64)
        wrong.chmod(0o600)
        done = subprocess.run([DESKHAND, "call", "screenshot", "--socket", str(self.desktop.socket), "--token-file", str(wrong)],
                              capture_output=True, text=True, timeout=30, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("token", done.stderr)

    def test_programs_of_docker_exec_find_the_display(self):
        status, text = self.desktop.sh("xdpyinfo | grep dimensions && xwininfo -root -tree | grep -c Terminal && xauth list | grep -c MIT-MAGIC-COOKIE-1")
        self.assertEqual(status, 0, text)
        self.assertIn("1280x800", text)

    def test_it_becomes_healthy(self):
        health, _ = eventually(lambda: (state := self.desktop.inspect()["State"]["Health"])["Status"] == "healthy" and state, 40, "healthy")
        self.assertEqual(health["FailingStreak"], 0)

    def test_the_display_is_deskhands_own_with_its_wide_keymap(self):
        information = self.desktop.call("display.info")
        self.assertTrue(information["owned"])
        self.assertEqual(information["name"], ":99")
        self.assertIn("openbox", json.dumps(information.get("window_manager", "")).lower())


class TheGuidesFlagsAlone(unittest.TestCase):
    """Without `deploy/docker/run`, as somebody types it who has read the guide: no mount at all, and /tmp as Docker makes it."""

    FLAGS = ["--rm", "--network=none", "--read-only", "--tmpfs", "/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges",
             "--pids-limit=256", "--memory=2g", "--memory-swap=2g", "--cpus=1", "--ulimit", "nofile=1024:2048"]

    def start(self, *arguments):
        name = f"deskhand-test-{uuid.uuid4().hex[:12]}"
        docker("run", "--detach", "--name", name, *self.FLAGS, "--env", f"DESKHAND_TOKEN_SHA256={hashlib.sha256(self.token).hexdigest()}",
               *arguments, IMAGE)
        self.addCleanup(docker, "rm", "--force", name, check=False)
        return name

    def setUp(self):
        self.token = secrets.token_hex(32).encode()

    def write_by(self, name):
        """Clicks into the terminal and has its shell write a file into the workspace that every loop knows."""
        with websocket.Connection(["docker", "exec", "-i", name, "deskhand", "connect"], self.token.decode()) as session:
            # The display answers before the terminal is there.
            session.call("wait_for", window={"class": "DeskhandTerminal"}, timeout_ms=30_000)
            session.call("left_click", coordinate=[200, 200])
            session.call("type", text="printf '%s' 'with the flags alone' > /tmp/agent-workspace/file\n")
        eventually(lambda: docker("exec", name, "cat", "/tmp/agent-workspace/file") == "with the flags alone", 15, "the shell wrote the file")

    def test_it_works(self):
        name = self.start()
        eventually(lambda: docker("exec", name, "deskhand", "health") == "", 60, "the display answers")
        self.write_by(name)

    def test_it_works_as_any_user_and_with_the_workspace_of_the_host(self):
        """A user that the image does not know by name, and a folder of the host's at the name that loops use."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="deskhand-container-"))
        self.addCleanup(shutil.rmtree, folder)
        folder.chmod(0o777)
        name = self.start("--user", "123456:123456", "--volume", f"{folder}:/tmp/agent-workspace")
        eventually(lambda: docker("exec", name, "deskhand", "health") == "", 60, "the display answers")
        self.write_by(name)
        self.assertEqual((folder / "file").read_text(), "with the flags alone")


class OtherUsersOfTheHost(unittest.TestCase):
    """A controller of this machine that is not root: only with --allow-uid, and then without a group or a mode for it."""

    STRANGER, CONTROLLER = 65_533, 65_532

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("only root can act as another user")

    def call_as(self, desktop, user):
        command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", str(self.program), "call", "ping", "--socket", str(desktop.socket),
                   "--token-file", str(self.token)]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    def start(self, *arguments, **options):
        desktop = Desktop(*arguments, **options)
        self.addCleanup(desktop.end)
        desktop.folder.chmod(0o711)
        self.program = desktop.folder / "deskhand"
        shutil.copyfile(DESKHAND, self.program)
        self.program.chmod(0o755)
        self.token = desktop.folder / "token-of-controller"
        self.token.write_text(desktop.token)
        os.chown(self.token, self.CONTROLLER, self.CONTROLLER)
        self.token.chmod(0o600)
        return desktop

    def test_only_users_that_are_named_get_in(self):
        desktop = self.start("--allow-uid", str(self.CONTROLLER))
        self.assertEqual(self.call_as(desktop, self.CONTROLLER).returncode, 0, self.call_as(desktop, self.CONTROLLER).stderr)
        os.chown(self.token, self.STRANGER, self.STRANGER)
        self.assertNotEqual(self.call_as(desktop, self.STRANGER).returncode, 0)
        # Its own health check and root still do.
        self.assertEqual(desktop.sh("deskhand health")[0], 0)
        desktop.call("ping")

    def test_a_user_who_is_not_root_starts_a_desktop_and_controls_it(self):
        desktop = self.start(user=self.CONTROLLER)
        self.assertEqual(self.call_as(desktop, self.CONTROLLER).returncode, 0, self.call_as(desktop, self.CONTROLLER).stderr)
        os.chown(self.token, self.STRANGER, self.STRANGER)
        self.assertNotEqual(self.call_as(desktop, self.STRANGER).returncode, 0)

    def test_nobody_else_gets_in_otherwise(self):
        desktop = self.start()
        self.assertNotEqual(self.call_as(desktop, self.CONTROLLER).returncode, 0)
        desktop.call("ping")


class TokensFile(unittest.TestCase):
    def test_a_mounted_file_of_hashes_is_read_and_read_again(self):
        desktop = Desktop()
        self.addCleanup(desktop.end)
        # A second desktop whose users stand in a file; the token of the first is only a token.
        tokens = desktop.folder / "tokens.toml"
        digest = docker("inspect", "--format", "{{range .Config.Env}}{{println .}}{{end}}", desktop.name)
        digest = next(line.split("=", 1)[1] for line in digest.splitlines() if line.startswith("DESKHAND_TOKEN_SHA256="))

        def write(hash_of_token):
            tokens.write_text(f'[[token]]\nuser = "tester"\nrole = "control"\nsha256 = "{hash_of_token}"\n')
            tokens.chmod(0o644)

        write(digest)
        name = f"{desktop.name}-file"
        run = subprocess.Popen([RUN, "--tokens", str(tokens), "--name", name, "--image",
                                desktop.inspect()["Config"]["Image"]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(run.communicate, timeout=40)
        self.addCleanup(run.terminate)
        eventually(lambda: docker("exec", name, "deskhand", "health") == "", 60, "the desktop with the file is ready")
        bridge = ["docker", "exec", "-i", name, "deskhand", "connect"]
        with websocket.Connection(bridge, desktop.token) as session:
            session.call("ping")
        write("0" * 64)
        docker("exec", name, "/usr/lib/deskhand/reload")

        def is_refused():
            try:
                websocket.Connection(bridge, desktop.token).close()
            except ConnectionRefusedError:
                return True
            return False

        eventually(is_refused, 10, "the old token is refused")


if __name__ == "__main__":
    unittest.main()
