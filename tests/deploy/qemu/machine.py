"""Machines for these tests: each is started by `deploy/qemu/run`, as a user would, and ended with everything it made."""

import base64
import hashlib
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import types
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent.parent
# Behind our own: both folders have tests of the same names.
sys.path.append(str(ROOT / "tests/deploy/container"))
import png  # noqa: E402
import websocket  # noqa: E402

# What tests/deploy/qemu/run has built, or was told to take.
BUILT = pathlib.Path(os.environ["DESKHAND_TEST_MACHINE"])
RUN = os.environ.get("DESKHAND_TEST_RUN", str(ROOT / "deploy/qemu/run"))
DESKHAND = str(BUILT / "deskhand")
# Emulation beside a machine that compiles is ten times slower than on an idle one. These limits only end what would never come.
STARTED_WITHIN = 170
BACK_WITHIN = 120
ANSWERED_WITHIN = 60
# As long as a host waits for the echo of its line (WIRE.md). A server that starts anew has not seen a line that the last one read.
GREETED_WITHIN = 5
# One request that waits for nothing.
REPLIED_WITHIN = 10
# Between two looks: each is a process that talks to a slow guest.
LOOK_EVERY = 0.2
# Window titles are cut where they are long; this many bytes of a file come in one.
TITLE_BYTES = 120


def eventually(condition, limit, what):
    """Waits until the condition gives something true, and gives that and how long it took. A fault counts as not yet."""
    started, last = time.monotonic(), None
    while True:
        try:
            value = condition()
            if value:
                return value, time.monotonic() - started
        except (AssertionError, OSError, ValueError, subprocess.SubprocessError, websocket.Refused) as error:
            last = error
        if time.monotonic() - started > limit:
            raise AssertionError(f"{what}: not within {limit} s; last: {last}")
        time.sleep(LOOK_EVERY)


def disk_hash():
    with open(BUILT / "root.ext4", "rb") as disk:
        return hashlib.file_digest(disk, "sha256").hexdigest()


class Port(websocket.Connection):
    """A session over the port's socket itself, without a program between: what a host does that dies in mid-word."""

    def greet(self):
        """As deskhand does: what goes out in the moment in which another host leaves may be lost, so it is said again, with another
        nonce."""
        for again in reversed(range(GREETED_WITHIN)):
            line = b"DESKHAND-SYNC " + secrets.token_hex(16).encode() + b"\n"
            self.socket.sendall(line)
            self.limit = 1
            try:
                self.until(line)
                return
            except TimeoutError:
                if not again:
                    raise

    def __init__(self, path, limit=REPLIED_WITHIN):
        self.limit, self.received, self.serial = GREETED_WITHIN, b"", 0
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(limit)
        self.process = types.SimpleNamespace(stdin=self.socket.makefile("wb", 0), stdout=self.socket.makefile("rb", 0))
        try:
            self.socket.connect(str(path))
            self.greet()
            self.limit = limit
            self.shake_hands("0" * 64)
        except BaseException:
            # As long as it is open nobody else has the port.
            self.close()
            raise

    def close(self):
        for part in (self.process.stdin, self.process.stdout, self.socket):
            part.close()


class Machine:
    """One virtual machine with its control port on a socket of this machine."""

    def __init__(self, *arguments):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="deskhand-qemu-"))
        self.socket = self.folder / "control"
        self.output = open(self.folder / "output", "w+")
        command = [RUN, "--machine", str(BUILT), "--socket", str(self.socket), "--patience", str(STARTED_WITHIN), *arguments]
        self.runner = subprocess.Popen(command, stdout=self.output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            eventually(self.is_ready_or_over, STARTED_WITHIN + 20, "the machine is ready")
            if self.runner.poll() is not None:
                raise AssertionError(f"the machine did not start:\n{self.said()}\n{self.console()}")
        except BaseException:
            self.end()
            raise

    def is_ready_or_over(self):
        return "the machine is ready" in self.said() or self.runner.poll() is not None

    def said(self):
        return (self.folder / "output").read_text()

    def console(self):
        path = self.folder / "control.console"
        return path.read_text(errors="replace") if path.exists() else ""

    def start_time(self):
        return float(re.search(r"ready, ([0-9.]+) s", self.said()).group(1))

    def qemu(self):
        """The id of its QEMU, a child of `run`."""
        children = pathlib.Path(f"/proc/{self.runner.pid}/task/{self.runner.pid}/children").read_text().split()
        (found,) = [int(child) for child in children if pathlib.Path(f"/proc/{child}/comm").read_text().startswith("qemu-system")]
        return found

    def processor_time(self):
        """Seconds of processor time that QEMU has had: unlike the clock it does not depend on what else runs here."""
        fields = pathlib.Path(f"/proc/{self.qemu()}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self, by=signal.SIGTERM):
        """Gives the status that `run` ended with, and what stayed behind."""
        if self.runner.poll() is None:
            self.runner.send_signal(by)
        try:
            status = self.runner.wait(40)
        except subprocess.TimeoutExpired:
            os.kill(self.qemu(), signal.SIGKILL)
            self.runner.kill()
            status = self.runner.wait()
        self.output.close()
        left = sorted(path.name for path in self.folder.iterdir())
        shutil.rmtree(self.folder)
        return status, left

    def call(self, method, params=None, output=None, limit=ANSWERED_WITHIN):
        command = [DESKHAND, "call", method, json.dumps(params or {}), "--virtio", str(self.socket)]
        if output:
            command += ["-o", str(output)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{method}: {done.returncode}: {done.stderr.strip()}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def picture(self):
        path = self.folder / "picture.png"
        self.call("screenshot", output=path)
        return png.Picture(path.read_bytes())

    def terminal(self):
        windows = self.call("windows.list")["windows"]
        return next((window for window in windows if window["class"] == "DeskhandTerminal"), None)

    def wait_for_terminal(self, limit=STARTED_WITHIN):
        return eventually(self.terminal, limit, "the terminal has a window")

    def order(self, script):
        """Types a command into the terminal and waits for nothing: for what ends the connection or its server."""
        window, _ = self.wait_for_terminal()
        with eventually(lambda: Port(self.socket), ANSWERED_WITHIN, "the port takes a host")[0] as port:
            port.call("left_click", coordinate=[window["x"] + window["width"] // 2, window["y"] + window["height"] // 2])
            port.call("type", text=f"{script}\n")

    def sh(self, script, limit=ANSWERED_WITHIN):
        """Types a command into the terminal and gives its status and what it printed. The guest has no other way to say anything: the
        shell makes the answer its window's title, which the typed text does not contain."""
        window, _ = self.wait_for_terminal()
        # Nothing has been asked for yet, so another try is harmless; test_many_hosts_in_quick_succession says whether one is needed.
        with eventually(lambda: Port(self.socket), limit, "the port takes a host")[0] as port:
            port.call("left_click", coordinate=[window["x"] + window["width"] // 2, window["y"] + window["height"] // 2])
            port.call("type", text=f"( {script} ) >/workspace/said 2>&1; echo $? >/workspace/status\n")
            text = b""
            while True:
                mark = secrets.token_hex(6)
                cut = f"tail -c +{len(text) + 1} /workspace/said | head -c {TITLE_BYTES} | base64 -w0"
                port.call("type", text=f"printf '\\033]0;%s-%s\\007' {mark[:6]} {mark[6:]}:$(cat /workspace/status):$({cut}):\n")
                title = f"{mark[:6]}-{mark[6:]}:"
                port.limit = limit + REPLIED_WITHIN
                met = port.call("wait_for", window={"title": title}, timeout_ms=limit * 1000)["met"]
                port.limit = REPLIED_WITHIN
                assert met, f"the shell has not carried out {script!r} within {limit} s"
                (title,) = [window["title"] for window in port.call("windows.list")["windows"] if window["title"].startswith(title)]
                _, status, part, _ = title.split(":")
                text += base64.b64decode(part)
                if len(base64.b64decode(part)) < TITLE_BYTES:
                    return int(status), text.decode(errors="replace").strip()


class MachineCase(unittest.TestCase):
    """Tests that share one machine. Whatever they did, the disk is afterwards what it was."""

    @classmethod
    def setUpClass(cls):
        before = disk_hash()
        cls.machine = Machine()

        def ends_without_a_trace():
            status, left = cls.machine.end(signal.SIGINT)
            assert status == 130, f"ctrl+c ended run with {status}"
            assert "control" not in left and "control.lock" not in left, left
            assert disk_hash() == before, "the session has changed the disk"

        cls.addClassCleanup(ends_without_a_trace)
        cls.start_processor_time = cls.machine.processor_time()
        cls.machine.wait_for_terminal()
