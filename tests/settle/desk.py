"""A desktop as people run it: Deskhand owns the display, and the application is part of its COMMAND. The X server draws into a
file, so that the harness sees the screen without asking anybody."""

import json
import os
import pathlib
import re
import select
import shlex
import shutil
import subprocess
import time

import Xlib.ext.xtest
import Xlib.X
import Xlib.XK

from cgroups import ControlGroup
from connections import ForeignDisplay
from desktop import HEIGHT, PATIENCE, ROOT, WIDTH, Controller, Failed, Windows, stop, wait_for
from framebuffer import Recorder

CARET = 200  # pixels; a blinking one is not worth waiting for
REPORT_KEY = Xlib.XK.XK_F8  # no application of the scenarios does anything with it


class Session(Controller):
    """A controller that knows when each answer came, and keeps the events that came with it."""

    def __init__(self, address, token):
        super().__init__(address, token)
        self.answered, self.events, self.has_events = 0.0, [], False

    def __call__(self, method, **params):
        number = next(self.numbers)
        self.socket.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        while True:
            text = self.socket.recv(timeout=PATIENCE)
            self.answered = time.monotonic()
            if (answer := self._take(text)).get("id") == number:
                break
        if "error" in answer:
            raise Declined(method, answer["error"])
        return answer["result"]

    def _take(self, text):
        message = json.loads(text)
        if message.get("method") == "event":
            self.events.append(message["params"])
        return message

    def events_so_far(self):
        """The events since the last time, also those that nobody has read yet."""
        try:
            while True:
                self._take(self.socket.recv(timeout=0))
        except TimeoutError:
            events, self.events = self.events, []
            return events


class Declined(Exception):
    """Deskhand answered with an error."""

    def __init__(self, method, error):
        self.kind = error["data"]["kind"]
        super().__init__(f"{method}: {error['message']} ({self.kind})")


class Desk:
    """The desktop of one application, which `command` starts."""

    def __init__(self, binary, folder, command, environment=None, with_cgroup=False):
        self.folder, self.server, self.session, self.windows, self.recorder = folder, None, None, None, None
        folder.mkdir(parents=True, exist_ok=True)
        self.cgroup = ControlGroup() if with_cgroup else None
        self.log = (folder / "log").open("a")
        try:
            self._start(binary, self._command(command), environment or {})
            self.windows = Windows(self.display)
            wait_for("openbox", (folder / "window-manager-is-ready").exists)
            self.recorder = Recorder(self.display, folder / "Xvfb_screen0")
        except BaseException:
            self.close()
            raise

    def _command(self, command):
        """openbox with everything maximised and without frames; it starts the application once it manages windows."""
        ours = (ROOT / "xvfb/openbox.xml").read_text(encoding="utf-8")
        everything = '<applications><application class="*" type="normal"><decor>no</decor><maximized>yes</maximized></application></applications>'
        config = self.folder / "openbox.xml"
        config.write_text(re.sub(r"<applications>.*</applications>", everything, ours, flags=re.DOTALL), encoding="utf-8")
        started = self.folder / "application"
        started.write_text(f"#!/bin/sh\ntouch window-manager-is-ready\nexec {shlex.join(map(str, command))}\n")
        started.chmod(0o700)
        window_manager = ["openbox", "--sm-disable", "--config-file", str(config), "--startup", str(started)]
        return self.cgroup.enter(window_manager) if self.cgroup else window_manager

    def _start(self, binary, command, environment):
        real = shutil.which("Xvfb") or "Xvfb"
        wrapper = self.folder / "bin/Xvfb"
        wrapper.parent.mkdir(exist_ok=True)
        wrapper.write_text(f'#!/bin/sh\nexec {shlex.quote(real)} "$@" -fbdir {shlex.quote(str(self.folder))}\n')
        wrapper.chmod(0o700)
        self.server = subprocess.Popen(
            [binary, "serve", "--xvfb", f"{WIDTH}x{HEIGHT}", "--listen", "127.0.0.1:0", "--", *command],
            env=self._environment() | environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=self.log, text=True, start_new_session=True,
        )  # fmt: skip
        if not select.select([self.server.stdout], [], [], PATIENCE)[0]:
            raise Failed("deskhand is not ready")
        line = self.server.stdout.readline()
        if not line:
            raise Failed(f"deskhand ended with {self.server.wait()}; its log ends with: {self.last_of_log()}")
        ready = json.loads(line)
        self.display = ForeignDisplay(ready["display"], ready["xauthority"])
        token = pathlib.Path(ready["token_file"]).read_text().strip()
        self.session = Session(ready["listen"][0], token)

    def _environment(self):
        """Nothing of this machine's settings, and a home of the desktop's own."""
        temporary = self.folder / "temporary"
        temporary.mkdir(exist_ok=True)
        return {
            "TERM": "xterm",
            # Browsers and LibreOffice leave files behind when they are told to end.
            "TMPDIR": str(temporary),
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "XDG_RUNTIME_DIR": str(self.folder),
            "XCOMPOSEFILE": "/dev/null",
            "DBUS_SESSION_BUS_ADDRESS": "disabled:",
            "NO_AT_BRIDGE": "1",
            "GSETTINGS_BACKEND": "memory",
            "LANG": "C.UTF-8",
        }

    def last_of_log(self):
        return (self.folder / "log").read_text(errors="replace")[-300:].replace("\n", " ")

    def press_past_deskhand(self, keysym=REPORT_KEY):
        """A key that is no action: what it leads to must not count as one."""
        connection = self.windows.connection
        code = connection.keysym_to_keycode(keysym)
        for kind in (Xlib.X.KeyPress, Xlib.X.KeyRelease):
            Xlib.ext.xtest.fake_input(connection, kind, code)
        connection.sync()

    def wait_until_still(self, quiet, limit=PATIENCE):
        """Waits until nothing larger than a caret has changed for so long."""
        deadline = time.monotonic() + limit
        self.recorder.start()
        while time.monotonic() < deadline:
            seen = self.recorder.so_far()
            last = max((change.time for change in seen.changes if change.pixels.size > CARET), default=seen.begin)
            if seen.end - last > quiet:
                break
            time.sleep(0.05)
        self.recorder.stop()

    def close(self):
        for part in (self.recorder, self.session, self.windows):
            try:
                if part:
                    part.close()
            except OSError:
                pass  # the other end has gone before
        if self.server:
            # COMMAND's processes and the X server end with it.
            stop(self.server)
            self.server.stdout.close()
        if getattr(self, "display", None):
            self.display.own_file.unlink(missing_ok=True)
        if self.cgroup:
            self.cgroup.close()
        self.log.close()
