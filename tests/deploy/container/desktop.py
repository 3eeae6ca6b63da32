"""Desktops for these tests: each is started by `deploy/docker/run`, as a user would, and ended with everything it made."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest
import uuid

import png
import websocket

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent.parent
IMAGE = os.environ.get("DESKHAND_TEST_DESKTOP", "deskhand-desktop")
BINARY_IMAGE = os.environ.get("DESKHAND_TEST_BINARY", "deskhand-binary")
# What starts a desktop; mutations.py takes something out of it.
RUN = os.environ.get("DESKHAND_TEST_RUN", str(ROOT / "deploy/docker/run"))
# The host's side of the socket; tests/deploy/container/run takes it out of the image.
DESKHAND = os.environ.get("DESKHAND_TEST_PROGRAM", "deskhand")
# Everything that dies is back after so many seconds, as the guide promises.
BACK_WITHIN = 5.0
# Between two looks at a condition: a look is a process in the container, and that takes a tenth of a second anyhow.
LOOK_EVERY = 0.05


def docker(*arguments, check=True, **options):
    """Runs a docker command and gives its standard output."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120, check=False, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"docker {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def eventually(condition, limit, what):
    """Waits until the condition gives something true, and gives that and how long it took. A fault counts as not yet."""
    started = time.monotonic()
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value, time.monotonic() - started
        except (AssertionError, OSError, subprocess.SubprocessError, websocket.Refused) as error:
            last = error
        if time.monotonic() - started > limit:
            raise AssertionError(f"{what}: not within {limit} s; last: {last}")
        time.sleep(LOOK_EVERY)


class Desktop:
    """One hardened container with a socket directory on the host."""

    def __init__(self, *arguments, user=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="deskhand-container-"))
        self.name = f"deskhand-test-{uuid.uuid4().hex[:12]}"
        self.token_file = self.folder / "token"
        self.socket = self.folder / "control" / "deskhand.sock"
        command = [RUN, "--token", str(self.token_file), "--socket", str(self.socket.parent), "--name", self.name, "--image", IMAGE, *arguments]
        if user:
            # An ordinary user who may use Docker: the engine's socket belongs to a group.
            os.chown(self.folder, user, user)
            engine = os.stat("/var/run/docker.sock").st_gid
            command = ["setpriv", f"--reuid={user}", f"--regid={user}", f"--groups={engine}", "env", f"HOME={self.folder}", *command]
        self.output = open(self.folder / "output", "w+")
        self.runner = subprocess.Popen(command, stdout=self.output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            # A machine that compiles beside it takes its time; the limit of `run` itself is longer.
            eventually(self.is_ready_or_over, 90, "the desktop is ready")
            if self.runner.poll() is not None:
                raise AssertionError(f"the desktop did not start:\n{self.said()}")
            self.token = self.token_file.read_text().strip()
        except BaseException:
            self.end()
            raise

    def is_ready_or_over(self):
        return f"{self.name} is ready" in self.said() or self.runner.poll() is not None

    def said(self):
        return (self.folder / "output").read_text()

    def end(self):
        """Gives the status that `run` ended with."""
        self.runner.terminate()
        try:
            status = self.runner.wait(40)
        except subprocess.TimeoutExpired:
            self.runner.kill()
            status = self.runner.wait()
            docker("rm", "--force", self.name, check=False)
            subprocess.run(["umount", str(self.socket.parent)], check=False, capture_output=True)
        self.output.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return status

    # Inside.

    def sh(self, script, user=None, limit=60):
        """Runs a shell script in the container; gives its status and output."""
        who = ["--user", user] if user else []
        done = subprocess.run(["docker", "exec", *who, self.name, "sh", "-c", script], capture_output=True, text=True,
                              timeout=limit, check=False)
        return done.returncode, (done.stdout + done.stderr).strip()

    def read(self, path):
        """The content of a file in the container, or nothing."""
        status, text = self.sh(f"cat '{path}'")
        return text if status == 0 else ""

    def processes(self, pattern):
        """The ids of the processes whose command line fits, the oldest first."""
        _, text = self.sh(f"pgrep -u \"$(id -u)\" -f '{pattern}'")
        return [int(line) for line in text.split() if line.isdigit()]

    def inspect(self):
        return json.loads(docker("inspect", self.name))[0]

    # Control.

    def call(self, method, params=None, output=None, limit=30):
        """One request over the socket that the host sees."""
        command = [DESKHAND, "call", method, json.dumps(params or {}), "--socket", str(self.socket), "--token-file",
                   str(self.token_file)]
        if output:
            command += ["-o", str(output)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{method}: {done.returncode}: {done.stderr.strip()}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def picture(self, method="screenshot", params=None):
        path = self.folder / "picture.png"
        self.call(method, params, output=path)
        return png.Picture(path.read_bytes())

    def connect(self, token=None):
        """A session through `docker exec -i NAME deskhand connect`."""
        return websocket.Connection(["docker", "exec", "-i", self.name, "deskhand", "connect"], token or self.token)

    def windows(self):
        return self.call("windows.list")["windows"]

    def terminal(self):
        """The terminal's window, once it is there."""
        return next((window for window in self.windows() if window["class"] == "DeskhandTerminal"), None)

    def wait_for_terminal(self, limit=30):
        return eventually(self.terminal, limit, "the terminal has a window")

    def type_into_terminal(self, text):
        window, _ = self.wait_for_terminal()
        middle = [window["x"] + window["width"] // 2, window["y"] + window["height"] // 2]
        self.call("left_click", {"coordinate": middle})
        self.call("type", {"text": text})

    def shell_writes(self, text, limit=15):
        """Has the shell in the terminal write this into a new file of the workspace, and sees it there."""
        name = f"written-{uuid.uuid4().hex[:8]}"
        # The wish to write and what is written are not the same text: an echo on the screen proves nothing.
        self.type_into_terminal(f"printf '%s' '{text}' > /workspace/{name}\n")
        eventually(lambda: self.read(f"/workspace/{name}") == text, limit, f"the shell wrote {text!r}")
        return name


class DesktopCase(unittest.TestCase):
    """Tests that share one desktop."""

    arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.desktop = Desktop(*cls.arguments)
        cls.addClassCleanup(cls.desktop.end)
        cls.desktop.wait_for_terminal()
