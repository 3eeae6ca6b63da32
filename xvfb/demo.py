#!/usr/bin/env python3
"""The demo behind `xvfb/demo`: a remote controller that works on an isolated desktop and checks what it did.

The only package beyond the standard library is `websockets`. Everything on the desktop goes over Deskhand's WebSocket; the
checks look at the other side: at files that the applications wrote and at what the page reported to its server.
"""

import argparse
import base64
import http.server
import itertools
import json
import pathlib
import select
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib

from websockets.sync.client import connect

ROOT = pathlib.Path(__file__).resolve().parent.parent
WIDTH, HEIGHT = 1280, 800
START = 60  # seconds until the desktop counts as failed; a browser's first start on a slow machine takes 20
EFFECT = 15  # seconds until an action counts as without effect


class Failed(Exception):
    """A step did not have its effect."""


# --- The controller: all that a program needs to use Deskhand. -------------------------------------------------------


class Refused(Exception):
    """Deskhand answered with an error."""


class Desk:
    """One session on the WebSocket. `desk("left_click", coordinate=[10, 20])` is one request and its result."""

    def __init__(self, socket, screen="native"):
        self.socket = socket
        self.numbers = itertools.count(1)
        self.acting = 0.0  # seconds spent in requests
        client = {"name": "demo", "version": "1"}
        self.greeting = self("initialize", protocol="deskhand.v1", client=client, screen=screen)

    def __call__(self, method, meta=None, **params):
        if meta:
            params["_meta"] = meta
        number = next(self.numbers)
        started = time.perf_counter()
        self.socket.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        answer = json.loads(self.socket.recv(timeout=START))
        self.acting += time.perf_counter() - started
        if answer.get("id") != number:
            raise Refused(f"{method}: an answer to something else: {answer}")
        if "error" in answer:
            raise Refused(f"{method}: {answer['error']['message']} ({answer['error']['data']['kind']})")
        return answer["result"]

    def picture(self, method="screenshot", **params):
        return base64.b64decode(self(method, **params)["image"]["data"])


def pixels(png):
    """Width, height and rows of (red, green, blue) of an 8-bit PNG without interlacing; for small pictures."""
    width, height, depth, colour = struct.unpack(">IIBB", png[16:26])
    size = {2: 3, 6: 4}[colour]
    assert depth == 8 and png[28] == 0
    data, at = b"", 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        data += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    data, rows, above = zlib.decompress(data), [], bytes(width * size)
    for y in range(height):
        start = y * (width * size + 1)
        method, row = data[start], bytearray(data[start + 1 : start + 1 + width * size])
        for i, value in enumerate(row):
            left, corner = (row[i - size], above[i - size]) if i >= size else (0, 0)
            up, guess = above[i], left + above[i] - corner
            paeth = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
            row[i] = (value + (0, left, up, (left + up) // 2, paeth)[method]) & 255
        rows.append([tuple(row[i : i + 3]) for i in range(0, len(row), size)])
        above = row
    return width, height, rows


class Observer:
    """A second session, which sees the desktop small and asks only for pictures that differ from the last."""

    def __init__(self, socket):
        self.desk = Desk(socket, screen={"max_long_edge": 160})
        self.frame, self.rows, self.size = None, None, None

    def colour(self, x, y):
        """The colour at a place given in native pixels."""
        result = self.desk("screenshot", meta={"if_changed": self.frame} if self.frame else None)
        if not result["image"].get("unchanged"):
            width, height, self.rows = pixels(base64.b64decode(result["image"]["data"]))
            self.size = width, height
        self.frame = result["frame"]
        return self.rows[y * self.size[1] // HEIGHT][x * self.size[0] // WIDTH]


# --- The other side: the page's server, and conditions with a limit. -------------------------------------------------


class Page:
    """Serves tests/pages and keeps the state that the page reports after every DOM event."""

    def __init__(self):
        self.state, self.events, self.changed = {}, [], threading.Condition()
        page = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *arguments):
                super().__init__(*arguments, directory=ROOT / "tests" / "pages")

            def do_POST(self):
                report = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with page.changed:
                    page.state = report["state"]
                    page.events += report["events"]
                    page.changed.notify_all()
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}/form.html"
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def wait(self, what, condition, limit=EFFECT):
        with self.changed:
            if not self.changed.wait_for(lambda: self.state and condition(self.state), limit):
                found = {name: value for name, value in self.state.items() if name != "rectangles"}
                raise Failed(f"the page does not report {what}; it reports {json.dumps(found, ensure_ascii=False)}")

    def rectangle(self, name):
        """An element's x, y, width and height on the screen."""
        with self.changed:
            if name not in self.state.get("rectangles", {}):
                raise Failed(f"the page has not reported where its element {name} is")
            return self.state["rectangles"][name]

    def middle(self, name):
        return self.along(name, 0.5)

    def along(self, name, share):
        x, y, width, height = self.rectangle(name)
        return [x + round(width * share), y + height // 2]


def wait(what, condition, limit=EFFECT):
    """Asks again and again until the condition holds."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"{what} did not happen within {limit} s")
        time.sleep(0.005)


def wait_for_content(path, content):
    try:
        wait(path.name, lambda: path.exists() and path.read_text() == content)
    except Failed:
        found = path.read_text() if path.exists() else None
        raise Failed(f"{path} holds {found!r} instead of {content!r}") from None


# --- The task. -------------------------------------------------------------------------------------------------------


class Demo:
    def __init__(self, desk, observer, page, home, pictures):
        self.desk, self.observer, self.page, self.home, self.pictures = desk, observer, page, home, pictures
        self.note = home / "note.txt"
        self.terminal, self.editor = [280, 220], [280, 650]  # the middles of two windows that openbox.xml places

    def desktop_is_up(self):
        """the terminal, the editor and the browser are on the screen"""

        def is_near(place, colour):
            return all(abs(seen - expected) <= 4 for seen, expected in zip(self.observer.colour(*place), colour, strict=True))

        # The terminal's background in xvfb/session; an empty screen is black and then blue.
        wait("the terminal's window", lambda: is_near(self.terminal, (0x11, 0x16, 0x1C)), START)
        wait("the editor's window", lambda: is_near(self.editor, (0xFF, 0xFF, 0xFF)), START)
        self.page.wait("that it is ready", lambda state: state["ready"], START)

    def types_a_command(self):
        """terminal: types a command that writes a file"""
        self.desk("left_click", coordinate=self.terminal)
        self.desk("type", text='echo "Deskhand was here: $((6 * 7))" | tee proof.txt\n')
        wait_for_content(self.home / "proof.txt", "Deskhand was here: 42\n")

    def edits_a_file(self):
        """editor: adds a line in four scripts and saves with ctrl+s"""
        line = "Typed remotely: Zoë Ångström, Ελλάδα, Київ, 100 € – done."
        self.desk("left_click", coordinate=self.editor)
        self.desk("key", text="ctrl+End")
        self.desk("type", text=line + "\n")
        self.desk("key", text="ctrl+s")
        wait_for_content(self.note, "A note.\n" + line + "\n")

    def fills_in_text(self):
        """browser: fills in a name and two lines of notes"""
        self.desk("left_click", coordinate=self.page.middle("name"))
        self.desk("type", text="Zoë Ångström")
        self.desk("left_click", coordinate=self.page.middle("notes"))
        self.desk("type", text="Ring twice.\nΕυχαριστώ!")
        self.page.wait("the name", lambda state: state["form"]["name"] == "Zoë Ångström")
        self.page.wait("the notes", lambda state: state["form"]["notes"] == "Ring twice.\nΕυχαριστώ!")

    def chooses_a_city(self):
        """browser: opens the list and chooses a city by its first letters"""
        self.desk("left_click", coordinate=self.page.middle("city"))
        self.desk("type", text="Osa")
        self.desk("key", text="Return")
        self.page.wait("the city", lambda state: state["form"]["city"] == "Osaka")

    def ticks_and_submits(self):
        """browser: chooses a size, ticks the box and submits the form"""
        self.desk("left_click", coordinate=self.page.middle("size-large"))
        self.desk("left_click", coordinate=self.page.middle("agree"))
        self.page.wait("the size and the tick", lambda state: state["form"]["size"] == "large" and state["form"]["agree"])
        self.desk("left_click", coordinate=self.page.middle("submit"))
        expected = {"name": "Zoë Ångström", "city": "Osaka", "notes": "Ring twice.\nΕυχαριστώ!", "size": "large", "agree": "on"}
        self.page.wait(f"the submission {expected}", lambda state: state["submissions"] == [expected])

    def uses_all_buttons(self):
        """browser: single, double, right and middle click, in one batch"""
        place = self.page.middle("pad")
        actions = ["double_click", "right_click", "middle_click", "left_click"]
        self.desk("batch", actions=[{"name": name, "input": {"coordinate": place}} for name in actions])
        # A double click is two clicks as well; a right and a middle click are each an auxclick.
        expected = {"click": 3, "dblclick": 1, "contextmenu": 1, "auxclick": 2}
        self.page.wait(f"the clicks {expected}", lambda state: state["counts"] == expected)

    def scrolls(self):
        """browser: scrolls a list down and to the right"""
        place = self.page.middle("rows")
        self.desk("scroll", coordinate=place, scroll_direction="down", scroll_amount=5)
        # Chromium merges notches that wait for it and scrolls by no more than what the list shows at once.
        self.page.wait("the scrolling down", lambda state: state["rows_scroll"][1] > 50)
        self.desk("scroll", coordinate=place, scroll_direction="right", scroll_amount=2)
        self.page.wait("the scrolling to the right", lambda state: state["rows_scroll"][0] > 50)

    def drags_a_slider(self):
        """browser: drags the slider to 75 %"""
        start, end = self.page.middle("handle"), self.page.along("track", 0.75)
        self.desk("left_click_drag", start_coordinate=start, coordinate=end)
        self.page.wait("the slider at 75", lambda state: abs(state["slider"] - 75) <= 1)

    def drags_and_drops(self):
        """browser: drags the parcel into the basket"""
        start, end = self.page.middle("chip"), self.page.middle("basket")
        self.desk("left_click_drag", start_coordinate=start, coordinate=end)
        self.page.wait("the drop", lambda state: state["dropped"] == 1)

    def zooms(self):
        """zooms in on the form's result"""
        x, y, width, height = self.page.rectangle("result")
        result = self.desk("zoom", region=[x, y, x + width, y + height])
        scale = min(WIDTH / width, HEIGHT / height)
        expected = max(1, round(width * scale)), max(1, round(height * scale))
        image = result["image"]
        if (image["width"], image["height"]) != expected:
            raise Failed(f"zoom gave {image['width']}x{image['height']} instead of {expected[0]}x{expected[1]}")
        return base64.b64decode(image["data"])

    def nothing_is_held(self):
        """leaves no key and no button pressed"""
        held = self.desk("status")["held"]
        if held != {"keys": [], "buttons": []}:
            raise Failed(f"still pressed: {held}")

    STEPS = [
        desktop_is_up, types_a_command, edits_a_file, fills_in_text, chooses_a_city, ticks_and_submits, uses_all_buttons,
        scrolls, drags_a_slider, drags_and_drops, zooms, nothing_is_held,
    ]  # fmt: skip

    def run(self):
        failures = 0
        print(f"     {'step':66} {'requests':>12} {'until effect':>13}")
        for number, step in enumerate(self.STEPS, 1):
            self.desk.acting = 0.0
            started, picture, problem = time.perf_counter(), None, None
            try:
                picture = step(self)
            except (Failed, Refused) as error:
                problem, failures = error, failures + 1
            took, acting = time.perf_counter() - started, self.desk.acting
            print(f"{'✗' if problem else '✓'} {number:2}  {step.__doc__:66} {acting * 1000:9.1f} ms {took * 1000:10.1f} ms", flush=True)
            if problem:
                print(f"      {problem}", flush=True)
            picture = picture or self.desk.picture()
            (self.pictures / f"{number:02}-{step.__name__.replace('_', '-')}.png").write_bytes(picture)
        return failures


def start(binary, page, home, log):
    """Starts Deskhand with a display of its own; returns the process and its ready line."""
    session = [ROOT / "xvfb" / "session", "--home", home, "--terminal", "--editor", home / "note.txt", "--browser", page.url]
    command = [binary, "serve", "--xvfb", f"{WIDTH}x{HEIGHT}", "--listen", "127.0.0.1:0", "--", *session]
    # A session of its own, so that ctrl+c in the terminal reaches only this program, which then ends the server.
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True)
    if not select.select([server.stdout], [], [], START)[0]:
        stop(server)
        raise Failed(f"deskhand is not ready after {START} s")
    line = server.stdout.readline()
    if not line:
        raise Failed(f"deskhand ended with {server.wait()} instead of becoming ready")
    return server, json.loads(line)


def stop(server):
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
        raise Failed("deskhand did not end within 10 s of SIGTERM") from None


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--binary", required=True, type=pathlib.Path)
    arguments.add_argument("--pictures", default=ROOT / "target" / "demo", type=pathlib.Path)
    arguments.add_argument("--keep", action="store_true")
    options = arguments.parse_args()

    pictures = options.pictures.resolve()
    shutil.rmtree(pictures, ignore_errors=True)
    home = pictures / "home"
    home.mkdir(parents=True)
    (home / "note.txt").write_text("A note.\n")
    page, log_file = Page(), pictures / "deskhand.log"
    # So that being told to end also ends the desktop.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # A shell starts background programs with ctrl+c ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    server = None
    try:
        with log_file.open("w") as log:
            server, ready = start(options.binary, page, home, log)
        url, token_file = f"ws://{ready['listen'][0]}/v1/ws", ready["token_file"]
        token = pathlib.Path(token_file).read_text().strip()
        print(f"a desktop of {WIDTH}x{HEIGHT} on display {ready['display']}; controlled over {url}", flush=True)
        options_of_both = {"additional_headers": {"Authorization": f"Bearer {token}"}, "max_size": None, "compression": None}
        with connect(url, **options_of_both) as hands, connect(url, **options_of_both) as eyes:
            failures = Demo(Desk(hands), Observer(eyes), page, home, pictures).run()
        print(f"\npictures: {pictures}", flush=True)
        if options.keep:
            program = f"{options.binary} call screenshot --url ws://{ready['listen'][0]} --token-file {token_file} -o shot.png"
            print(f"the desktop goes on; take a picture of it with\n  {program}\nctrl+c ends it", flush=True)
            server.wait()
        return 1 if failures else 0
    except KeyboardInterrupt:
        return 130 if not options.keep else 0
    except (Failed, Refused, OSError) as error:
        print(f"demo: {error}; the server's log is {log_file}", file=sys.stderr)
        return 1
    finally:
        if server and server.poll() is None:
            stop(server)


if __name__ == "__main__":
    sys.exit(main())
