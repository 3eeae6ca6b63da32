"""A display with a window manager, Deskhand on it, and what the harness itself looks at: windows, focus, selections."""

import base64
import itertools
import json
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import time

import Xlib.display
import Xlib.error
import Xlib.X
from websockets.sync.client import connect

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WIDTH, HEIGHT = 1024, 768
PATIENCE = 60  # seconds until something counts as failed; LibreOffice's first start beside two busy cores takes 25
WINDOW_MANAGERS = ("openbox", "openbox-compose", "xfwm4", "none")


class Failed(Exception):
    """Something that has to work for a measurement did not."""


class Refused(Exception):
    """Deskhand answered with an error."""

    def __init__(self, method, error):
        super().__init__(f"{method}: {error['message']} ({error['data']['kind']})")
        self.kind, self.typed = error["data"]["kind"], error["data"].get("typed", 0)


def wait_for(what, condition, limit=PATIENCE, pause=0.002):
    """Asks again until the condition gives something; the programs under test have no event for most of what is asked."""
    deadline = time.monotonic() + limit
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {limit} s")
        time.sleep(pause)
    return found


def stop(process, limit=10):
    """Ends a program and all that it started in its session."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


class Controller:
    """One session on Deskhand's WebSocket. `desk("key", text="ctrl+s")` is one request and its result."""

    def __init__(self, address, token):
        headers = {"Authorization": f"Bearer {token}"}
        self.socket = connect(f"ws://{address}/v1/ws", additional_headers=headers, max_size=None, compression=None)
        self.numbers = itertools.count(1)

    def __call__(self, method, **params):
        number = next(self.numbers)
        self.socket.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(self.socket.recv(timeout=10 * PATIENCE))
            if answer.get("id") == number:
                break
        if "error" in answer:
            raise Refused(method, answer["error"])
        return answer["result"]

    def close(self):
        self.socket.close()


class Display:
    """A display's name and cookie, for programs and for the harness's own connections."""

    def __init__(self, name, cookie_file):
        self.name, self.cookie_file = name, pathlib.Path(cookie_file)
        # python-xlib does not know entries for any host, which is what both Deskhand and we write.
        cookie = self.cookie_file.read_bytes()[-16:]
        own = self.cookie_file.with_name(self.cookie_file.name + f"-{os.getpid()}")
        own.touch(mode=0o600)
        own.write_bytes(cookie_entry(256, socket.gethostname().encode(), name.lstrip(":").encode(), cookie))
        self.own_file = own

    def open(self):
        os.environ["XAUTHORITY"] = str(self.own_file)
        return Xlib.display.Display(self.name)

    def environment(self, home):
        """Nothing of this machine's settings, and a home of the program's own."""
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "TERM") if name in os.environ}
        return kept | {
            "DISPLAY": self.name,
            "XAUTHORITY": str(self.cookie_file),
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "DBUS_SESSION_BUS_ADDRESS": "disabled:",
            "NO_AT_BRIDGE": "1",
            "GSETTINGS_BACKEND": "memory",
            "LANG": "C.UTF-8",
        }


def cookie_entry(family, address, number, cookie):
    fields = (address, number, b"MIT-MAGIC-COOKIE-1", cookie)
    return struct.pack(">H", family) + b"".join(struct.pack(">H", len(field)) + field for field in fields)


class Desktop:
    """A display, a window manager on it, and a controller of it. `plain` has an Xvfb that Deskhand is only attached to: its
    keymap is what other programs find elsewhere. `keymap` is then called with a connection before any client starts."""

    def __init__(self, binary, folder, window_manager="openbox", plain=False, keymap=None):
        self.folder, self.processes, self.controller = pathlib.Path(folder), [], None
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = (self.folder / "log").open("a")
        try:
            if plain:
                self.display = self._start_xvfb()
                if keymap:
                    self.keymap_connection = self.display.open()
                    keymap(self.keymap_connection)
                arguments = ["--display", self.display.name, "--xauthority", self.display.cookie_file]
            else:
                arguments = ["--xvfb", f"{WIDTH}x{HEIGHT}"]
            self._start_deskhand(binary, arguments)
            self._start_window_manager(window_manager)
            self.windows = Windows(self.display)
        except BaseException:
            self.close()
            raise

    def start(self, command, home=None, environment=None, **options):
        """Starts a program in a session of its own; all of it ends with the desktop."""
        home = home or self.folder
        process = subprocess.Popen(
            [str(part) for part in command],
            env=self.display.environment(home) | (environment or {}),
            cwd=home, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True, **options,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def _start_xvfb(self):
        cookie_file = self.folder / "Xauthority"
        cookie_file.touch(mode=0o600)
        cookie_file.write_bytes(cookie_entry(0xFFFF, b"", b"", os.urandom(16)))
        ready, announce = os.pipe()
        command = ["Xvfb", "-displayfd", announce, "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-noreset", "-nolisten", "tcp"]
        process = subprocess.Popen(
            [*map(str, command), "-s", "0", "-auth", cookie_file],
            pass_fds=[announce], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True,
        )  # fmt: skip
        self.processes.append(process)
        os.close(announce)
        with os.fdopen(ready) as announced:
            if not select.select([announced], [], [], PATIENCE)[0]:
                raise Failed("Xvfb does not come up")
            return Display(f":{announced.readline().strip()}", cookie_file)

    def _start_deskhand(self, binary, arguments):
        process = subprocess.Popen(
            [binary, "serve", *arguments, "--listen", "127.0.0.1:0"],
            env={"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(self.folder), "HOME": str(self.folder)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True, start_new_session=True,
        )  # fmt: skip
        self.processes.append(process)
        if not select.select([process.stdout], [], [], PATIENCE)[0]:
            raise Failed("deskhand is not ready")
        line = process.stdout.readline()
        if not line:
            raise Failed(f"deskhand ended with {process.wait()}; its log is {self.log.name}")
        ready = json.loads(line)
        if "--display" not in arguments:
            self.display = Display(ready["display"], ready["xauthority"])
        self.token = pathlib.Path(ready["token_file"]).read_text().strip()
        self.controller = Controller(ready["listen"][0], self.token)

    def _start_window_manager(self, name):
        """openbox starts our touch when it has set up; xfwm4 owns its selection then."""
        if name == "none":
            return
        if name == "xfwm4":
            # It reads its settings over a session bus, so it gets one.
            self.start(["dbus-run-session", "--", "xfwm4", "--compositor=off"], environment={"DBUS_SESSION_BUS_ADDRESS": ""})
            connection = self.display.open()
            atom, check = connection.intern_atom("WM_S0"), connection.intern_atom("_NET_SUPPORTING_WM_CHECK")
            root = connection.screen().root
            wait_for("xfwm4", lambda: connection.get_selection_owner(atom) and root.get_full_property(check, Xlib.X.AnyPropertyType))
            connection.close()
            return
        ready = self.folder / "window-manager-is-ready"
        ready.unlink(missing_ok=True)
        config = self.folder / "openbox.xml"
        ours = (ROOT / "xvfb/openbox.xml").read_text(encoding="utf-8")
        # As README starts it, and as everybody else does: it reads the Compose file of its locale at each change of the keymap.
        if name == "openbox-compose":
            ours = ours.replace("<rebindOnMappingNotify>no<", "<rebindOnMappingNotify>yes<")
        config.write_text(ours, encoding="utf-8")
        command = ["openbox", "--sm-disable", "--config-file", config, "--startup", f"touch {ready}"]
        compose = {"openbox": {"XCOMPOSEFILE": "/dev/null"}, "openbox-compose": {"LANG": "en_US.UTF-8", "LC_ALL": "C.UTF-8"}}
        self.start(command, environment=compose[name])
        wait_for("openbox", ready.exists)

    def settle(self, quiet=0.5, limit=5):
        """Waits until the picture stays the same. A blinking caret ends the wait at its limit."""
        deadline = time.monotonic() + limit
        frame, since = None, time.monotonic()
        while time.monotonic() < min(deadline, since + quiet):
            now = self.controller("screenshot", _meta={"if_changed": frame} if frame else {})["frame"]
            if now != frame:
                frame, since = now, time.monotonic()
            time.sleep(0.02)

    def picture(self, file):
        """The screen as it is now."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(self.controller("screenshot")["image"]["data"]))

    def primary(self, limit=2.0, is_right=lambda _: True):
        """What is selected, once it is right and stays so for a moment: a selection grows. Otherwise what it is at last;
        `None` when nothing comes."""
        deadline = time.monotonic() + limit
        found = None
        while time.monotonic() < deadline:
            before, found = found, self._xclip("-o")
            if found and found == before and is_right(found):
                return found
            time.sleep(0.1)
        return found or None

    def forget_primary(self):
        """Lets nobody have a selection."""
        connection = self.display.open()
        # The owner loses it with this connection.
        window = connection.screen().root.create_window(0, 0, 1, 1, 0, 0)
        window.set_selection_owner(Xlib.Xatom.PRIMARY, Xlib.X.CurrentTime)
        connection.sync()
        connection.close()

    def clipboard(self, limit=2.0):
        """What the clipboard holds."""
        return self._xclip("-o", selection="clipboard")

    def _xclip(self, *arguments, selection="primary"):
        environment = self.display.environment(self.folder)
        command = ["xclip", "-selection", selection, *arguments, "-t", "UTF8_STRING"]
        try:
            ended = subprocess.run(command, env=environment, capture_output=True, timeout=2)
        except subprocess.TimeoutExpired:
            return None
        return ended.stdout.decode(errors="replace") if ended.returncode == 0 else None

    def close(self):
        if self.controller:
            self.controller.close()
        if getattr(self, "windows", None):
            self.windows.close()
        # Applications first, then the window manager and Deskhand, and the X server, each started after the one before.
        for process in reversed(self.processes):
            stop(process)
        if getattr(self, "display", None):
            self.display.own_file.unlink(missing_ok=True)
        self.log.close()


class Windows:
    """Looks at the windows of a display."""

    def __init__(self, display):
        self.connection = display.open()
        self.root = self.connection.screen().root

    def of_class(self, name, least=150):
        """The first viewable window of a class that takes up room, under whatever frames."""
        return self._search(self.root, name.lower(), least, 0)

    def _search(self, window, name, least, depth):
        try:
            for child in window.query_tree().children:
                known = child.get_wm_class()
                if known and name in " ".join(known).lower():
                    size = child.get_geometry()
                    if child.get_attributes().map_state == Xlib.X.IsViewable and size.width > least:
                        return child
                if depth < 3 and (found := self._search(child, name, least, depth + 1)):
                    return found
        except Xlib.error.XError:
            pass  # gone while it was looked at
        return None

    def move(self, window, place):
        """Asks for a place and a size; a terminal's is rounded to whole characters. Waits until it is there or stays elsewhere."""
        x, y, width, height = place
        window.configure(x=x, y=y, width=width, height=height)
        self.connection.sync()
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            at = self.place(window)
            if abs(at[0] - x) < 10 and abs(at[1] - y) < 40 and abs(at[2] - width) < 20 and abs(at[3] - height) < 40:
                return
            time.sleep(0.01)

    def place(self, window):
        """x, y, width, height of its inside on the screen."""
        size, corner = window.get_geometry(), window.translate_coords(self.root, 0, 0)
        return -corner.x, -corner.y, size.width, size.height

    def has_focus(self, window):
        """Whether keys go to the window or to one in it."""
        focus = self.connection.get_input_focus().focus
        for _ in range(8):
            if isinstance(focus, int) or focus == self.root:
                return False
            if focus.id == window.id:
                return True
            try:
                focus = focus.query_tree().parent
            except Xlib.error.XError:
                return False
            if focus == 0:
                return False
        return False

    def close(self):
        self.connection.close()
