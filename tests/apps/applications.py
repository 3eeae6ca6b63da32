"""What all rows of the table have in common: an application on a display that can be emptied and tells what it received."""

import time

from desktop import PATIENCE, Failed, Refused, wait_for

ARRIVAL = 60  # seconds until text that was typed counts as lost; the applications take milliseconds
WHOLE = 15  # seconds to see the whole of it before a mark is typed behind it


# Where a window is put: all of it on the screen, and room at the right for the window that is clicked after a text.
WINDOW = (4, 30, 840, 690)


class Application:
    """One row. A subclass says how to start it and how to get at what it holds."""

    name = window_class = ""
    packages = ()
    # Where its text is, from the window's left edge in pixels and from its top as a share of its height.
    text_at = (100, 0.5)
    # How all of it is selected, and how its beginning is put into view.
    select_all, to_top = "ctrl+a", "ctrl+Home"
    triple_selects = "a line"
    has_scrolling = True
    # What goes with every text: a pace, when one is asked for.
    meta = {}

    def __init__(self, desktop, folder):
        self.desktop, self.desk, self.folder = desktop, desktop.controller, folder
        self.serial = 0
        folder.mkdir(parents=True, exist_ok=True)
        self.process = self.start()
        self.window = wait_for(f"the window of {self.name}", self._find_window, pause=0.05)
        self.desktop.windows.move(self.window, WINDOW)
        self._take_focus()
        self.wait_until_ready()

    def start(self):
        raise NotImplementedError

    def wait_until_ready(self):
        raise NotImplementedError

    def _find_window(self):
        if self.process.poll() is not None:
            raise Failed(f"{self.name} ended with {self.process.returncode}; its log is {self.desktop.log.name}")
        return self.desktop.windows.of_class(self.window_class)

    def _take_focus(self):
        self.desk("mouse_move", coordinate=self.place())
        deadline = time.monotonic() + 5
        while not self.desktop.windows.has_focus(self.window) and time.monotonic() < deadline:
            time.sleep(0.01)
        if not self.desktop.windows.has_focus(self.window):
            # Without a window manager nobody gives the focus to anybody; the click makes toolkits take it.
            self.desk("left_click", coordinate=self.place())

    def place(self, right=0, down=0):
        """A place in the text, moved by so many pixels."""
        x, y, _, height = self.desktop.windows.place(self.window)
        return [x + self.text_at[0] + right, y + round(height * self.text_at[1]) + down]

    def patiently(self, method, **params):
        """An action that only prepares a measurement: a window manager that is still busy is waited for."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.desk(method, **params)
            except Refused as error:
                if error.kind != "input_grabbed" or time.monotonic() > deadline:
                    raise

    def clear(self):
        """Leaves nothing in it."""
        self.desk("key", text=f"{self.select_all} Delete")

    def next_mark(self):
        """A line that has not been typed before, to tell by it that everything before it has arrived."""
        self.serial += 1
        return f"\nend{self.serial}"

    def fill(self, text):
        """Holds this text and shows its beginning."""
        self.begin()
        self.desk("type", text=text)
        self.wait_until_holds(text)
        # GTK shows the end of what was typed when it has measured it, be the cursor back at the beginning by then.
        self.desktop.settle()
        self.desk("key", text=self.to_top)

    def wait_until_holds(self, text):
        raise NotImplementedError

    def begin(self):
        """From here on `received` counts."""
        self.clear()

    def received(self, wanted):
        """What has been typed into it since `begin`; and when all of `wanted` was there, in seconds since the epoch, if it came.
        A mark that is typed behind it tells that nothing is on its way any more."""
        raise NotImplementedError

    def is_running(self):
        return self.process.poll() is None


class Editor(Application):
    """An application that saves what it holds into a file, on a key."""

    save_keys = "ctrl+s"
    file_name = "note.txt"
    empty = b""

    def __init__(self, desktop, folder):
        self.file = folder / self.file_name
        folder.mkdir(parents=True, exist_ok=True)
        self.file.write_bytes(self.empty)
        super().__init__(desktop, folder)

    def saved(self):
        """The text in the file; empty while it is being written."""
        try:
            return self.file.read_text(encoding="utf-8")
        except (FileNotFoundError, UnicodeDecodeError):
            return ""

    def _stamp(self):
        """Another one whenever the file has been written."""
        try:
            found = self.file.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def save_until(self, what, condition, limit=PATIENCE):
        """Saves, and waits until what has been written since then is as it should be: the file may have held the same before."""
        before = self._stamp()
        self.desk("key", text=self.save_keys)
        try:
            wait_for(what, lambda: self._stamp() != before and condition(self.saved()), limit)
            # Before the programs that take their time are waited for.
            return time.time()
        finally:
            self.finish_saving()

    def finish_saving(self):
        """Waits until keys count again, in programs that take none while they save."""

    def wait_until_ready(self):
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                self.clear()
                self.desk("type", text="ready")
                self.save_until("its file", lambda text: text.rstrip("\n") == "ready", limit=20)
                self.clear()
                return
            except (Failed, Refused):
                continue
        raise Failed(f"{self.name} does not save what is typed; its file holds {self.saved()[:80]!r}")

    def wait_until_holds(self, text):
        self.save_until("the text", lambda saved: saved == text)

    def received(self, wanted):
        at = None
        try:
            at = self.save_until("the text", lambda saved: saved == wanted, limit=WHOLE)
        except Failed:
            pass
        mark = self.next_mark()
        self.desk("type", text=mark)
        try:
            self.save_until("the mark", lambda saved: saved.rstrip("\n").endswith(mark), limit=ARRIVAL)
        except Failed:
            return self.saved(), None
        return self.saved().rstrip("\n").removesuffix(mark), at
