"""A display to measure on, and Deskhand on it."""

import contextlib
import json
import os
import pathlib
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import time

from .errors import Failed

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PATIENCE = 60  # seconds; a browser's first start on a busy machine takes 20
ANY_HOST, THIS_HOST = 0xFFFF, 256  # families of Xau(3): Wild and Local
COOKIE_SIZE = 16


def cookie_entry(family, address, number, cookie):
    """An entry of a cookie file (Xau(3))."""
    fields = (address, number, b"MIT-MAGIC-COOKIE-1", cookie)
    return struct.pack(">H", family) + b"".join(struct.pack(">H", len(field)) + field for field in fields)


def wait_for(what, condition, limit=PATIENCE, pause=0.002):
    """Asks again until the condition gives something; no clock of a measurement runs then."""
    deadline = time.monotonic() + limit
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {limit} s")
        time.sleep(pause)
    return found


class Place:
    """A display with a folder of its own. Everything on it ends with it. The measuring client has one display at a time: the
    place that was made last, unless that says otherwise."""

    def __init__(self, bench, width=1024, height=768, owned=False, arguments=(), for_client=True):
        self.bench, self.processes, self.client = bench, bench.processes, bench.client
        self.width, self.height, self.owned = width, height, owned
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="place-", dir=bench.folder))
        self.started, self.connections = [], []
        self.server = None
        try:
            if not owned:
                self._start_xvfb()
            self.serve(*arguments)
            if for_client:
                self.client("display", number=int(self.display[1:]), cookie=str(self.cookie))
        except BaseException:
            self.close()
            raise

    def environment(self, **more):
        """For a program on the display, with a home of its own."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        home.chmod(0o700)  # as an XDG_RUNTIME_DIR has to be
        ours = {"DISPLAY": self.display, "XAUTHORITY": str(self.cookie), "HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
        quiet = {"DBUS_SESSION_BUS_ADDRESS": "disabled:", "GSETTINGS_BACKEND": "memory", "XDG_SESSION_TYPE": "x11"}
        return self.processes.environment(**ours, **quiet) | more

    def start(self, command, environment=None, **options):
        """A program on the display."""
        process = self.processes.start(command, environment or self.environment(), cwd=self.folder, **options)
        self.started.append(process)
        return process

    def _start_xvfb(self):
        self.cookie = self.folder / "Xauthority"
        self.cookie.touch(mode=0o600)
        self.cookie.write_bytes(cookie_entry(ANY_HOST, b"", b"", os.urandom(COOKIE_SIZE)))
        ready, announce = os.pipe()
        screen = ["-screen", "0", f"{self.width}x{self.height}x24", "-noreset", "-nolisten", "tcp", "-s", "0"]
        command = ["Xvfb", "-displayfd", announce, *screen, "-auth", self.cookie]
        self.started.append(self.processes.start(command, pass_fds=[announce]))
        os.close(announce)
        with os.fdopen(ready) as announced:
            if not select.select([announced], [], [], PATIENCE)[0]:
                raise Failed("Xvfb does not come up")
            self.display = f":{announced.readline().strip()}"
        # Python's X libraries know no entries for any host.
        host, cookie = socket.gethostname().encode(), self.cookie.read_bytes()
        entry = cookie_entry(THIS_HOST, host, self.display[1:].encode(), cookie[-COOKIE_SIZE:])
        self.cookie.write_bytes(entry + cookie)

    def serve(self, *arguments):
        """Starts Deskhand; how long it took until its ready line."""
        where = ["--xvfb", f"{self.width}x{self.height}"] if self.owned else ["--display", self.display]
        environment = self.processes.environment(XDG_RUNTIME_DIR=str(self.folder), HOME=str(self.folder))
        if not self.owned:
            environment["XAUTHORITY"] = str(self.cookie)
        command = [self.bench.binary, "serve", *where, "--listen", "127.0.0.1:0", *arguments]
        begun = time.perf_counter()
        with (self.folder / "deskhand.log").open("a") as log:
            self.server = self.processes.start(command, environment, stdout=subprocess.PIPE, stderr=log)
        if not select.select([self.server.stdout], [], [], PATIENCE)[0]:
            raise Failed("deskhand is not ready")
        line = self.server.stdout.readline()
        took = time.perf_counter() - begun
        if not line:
            log = (self.folder / "deskhand.log").read_text().strip().splitlines()
            raise Failed(f"deskhand has ended with {self.server.wait()}: {log[-1] if log else 'its log is empty'}")
        ready = json.loads(line)
        if self.owned:
            self.display, self.cookie = ready["display"], pathlib.Path(ready["xauthority"])
        self.address, self.token = ready["listen"][0], pathlib.Path(ready["token_file"]).read_text().strip()
        return took

    def stop_serving(self):
        """Ends Deskhand alone."""
        for connection in self.connections[:]:
            connection.close()
        self.processes.stop(self.server)
        self.server = None

    def start_window_manager(self, as_installed=False):
        """openbox, as the project's desktop has it, or as it is where nobody has told it otherwise: it then reads its Compose
        file again at each change of the keymap. It touches a file once it manages windows."""
        ready, config = self.folder / "window-manager-is-ready", self.folder / "openbox.xml"
        ours = (ROOT / "xvfb/openbox.xml").read_text(encoding="utf-8")
        environment = {"XCOMPOSEFILE": "/dev/null"}
        if as_installed:
            ours = ours.replace("<rebindOnMappingNotify>no<", "<rebindOnMappingNotify>yes<")
            # A locale that has a Compose file; the text's own encoding stays.
            environment = {"LANG": "en_US.UTF-8", "LC_ALL": "C.UTF-8"}
        config.write_text(ours, encoding="utf-8")
        command = ["openbox", "--sm-disable", "--config-file", config, "--startup", f"touch {ready}"]
        self.start(command, self.environment(**environment))
        wait_for("openbox", ready.exists)

    def close(self):
        for connection in self.connections[:]:
            with contextlib.suppress(Failed):
                connection.close()
        for process in reversed(self.started):
            self.processes.stop(process)
        if self.server:
            self.processes.stop(self.server)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
