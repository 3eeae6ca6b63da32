"""A click straight after a text: when does it arrive? Each change of the keymap keeps the window manager busy, and while it is, a click on a
window waits for it."""

import dataclasses
import select
import subprocess
import threading
import time

import Xlib.X

import texts
from browsers import Chromium
from desktop import Desktop, Failed, Refused, wait_for

LIMIT = 60  # seconds until a click counts as never landed


class Recorder:
    """A window of our own, which writes down when a click reaches it."""

    PLACE = (870, 120, 130, 130)

    def __init__(self, display):
        self.connection = display.open()
        x, y, width, height = self.PLACE
        screen = self.connection.screen()
        mask = Xlib.X.ButtonPressMask | Xlib.X.StructureNotifyMask
        self.window = screen.root.create_window(x, y, width, height, 0, screen.root_depth, background_pixel=screen.white_pixel, event_mask=mask)
        self.window.set_wm_name("recorder")
        self.window.set_wm_class("recorder", "Recorder")
        # It says where it wants to be, and that it does not take the keyboard.
        self.window.set_wm_normal_hints(flags=1 | 4, min_width=width, min_height=height)
        self.window.set_wm_hints(flags=1, input=0)
        self.window.map()
        self.connection.sync()
        self.clicks, self.over = [], threading.Event()
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self):
        while not self.over.is_set():
            if select.select([self.connection], [], [], 0.2)[0] or self.connection.pending_events():
                while self.connection.pending_events():
                    if self.connection.next_event().type == Xlib.X.ButtonPress:
                        self.clicks.append(time.time())

    def middle(self, windows):
        found = windows.of_class("recorder", least=50)
        x, y, width, height = windows.place(found)
        return [x + width // 2, y + height // 2]

    def close(self):
        self.over.set()
        self.thread.join()
        self.connection.close()


@dataclasses.dataclass
class Landing:
    """When the clicks of several runs landed, in milliseconds after the end of the text."""

    window_manager: str
    actor: str
    text: str
    target: str
    milliseconds: list
    problems: list
    # On the page: how long after its last character.
    after_text: list = dataclasses.field(default_factory=list)
    measured: dict = dataclasses.field(default_factory=dict)

    def as_dict(self):
        return {"section": "click after text"} | dataclasses.asdict(self)

    @property
    def perfect(self):
        """Whether every click landed; how soon is for the reader."""
        return bool(self.milliseconds) and not self.problems


def measure(binary, folder, window_manager, names, runs, peer=None):
    """Types a text into a page and clicks at once, on the page and on another window."""
    desktop = Desktop(binary, folder / f"click-{window_manager}-{peer.name if peer else 'deskhand'}", window_manager, plain=peer is not None)
    recorder = None
    try:
        app = Chromium(desktop, desktop.folder / "application")
        recorder = Recorder(desktop.display)
        wait_for("the recorder", lambda: desktop.windows.of_class("recorder", least=50))
        hands = peer(desktop) if peer else None
        for name in names:
            for target in ("the page", "another window"):
                landing = Landing(window_manager, peer.name if peer else "Deskhand", name, target, [], [])
                for run in range(runs):
                    landed, after_text, problem = once(desktop, app, recorder, hands, texts.read(name, run), target)
                    if problem:
                        landing.problems.append(problem)
                    if landed is not None:
                        landing.milliseconds.append(round(landed, 1))
                    if after_text is not None:
                        landing.after_text.append(round(after_text, 1))
                yield landing
        if hands:
            hands.close()
    finally:
        if recorder:
            recorder.close()
        desktop.close()


def once(desktop, app, recorder, hands, text, target):
    place = app.pad() if target == "the page" else recorder.middle(desktop.windows)
    # The keyboard belongs to the page again.
    app.patiently("left_click", coordinate=app.place())
    app.begin()

    def clicks():
        return app.page.state["clicks"] if target == "the page" else recorder.clicks

    before, problem = len(clicks()), ""
    try:
        hands.type(text) if hands else app.desk("type", text=text)
    except (Failed, Refused) as error:
        problem = str(error)
    ended = time.time()
    try:
        if hands:
            x, y = map(str, place)
            subprocess.run(["xdotool", "mousemove", x, y, "click", "1"], env=hands.environment, timeout=LIMIT, check=True)
        else:
            app.desk("left_click", coordinate=place)
    except (Refused, subprocess.SubprocessError) as error:
        problem = f"{problem} {error}".strip()
    try:
        wait_for("the click", lambda: len(clicks()) > before, limit=LIMIT)
    except Failed as error:
        return None, None, f"{problem} {error}".strip()
    at = clicks()[before]
    if target != "the page":
        return (at - ended) * 1000, None, problem
    # It reports its last input with the click.
    return at - ended * 1000, at - app.page.state["last"], problem
