"""The applications of the scenarios: how each starts, gets ready for a trial and confirms that it did what the trial is about."""

import os
import time

from desk import Desk
from desktop import HEIGHT, WIDTH, Failed, wait_for
from office import Writer as OfficeWriter
from office import settings_file
from pages import Pages, monotonic, steps_at

POINTER = (24, 24, 40, 40)  # the pointer's picture is in the framebuffer and not in a screenshot; left, up, right and down of its place


class Subject:
    """One application on a desktop of its own."""

    name = window_class = ""
    environment = {}

    def __init__(self, binary, folder, with_cgroup):
        self.folder = folder
        self.prepare(folder)
        self.desk = Desk(binary, folder, self.command(), self.environment, with_cgroup)
        try:
            self.session = self.desk.session
            self.window = wait_for(f"the window of {self.name}", self._find_window, pause=0.05)
            self.wait_until_ready()
        except BaseException:
            self.close()
            raise

    def _find_window(self):
        if self.desk.server.poll() is not None:
            raise Failed(f"deskhand ended with {self.desk.server.returncode}; its log ends with: {self.desk.last_of_log()}")
        return self.desk.windows.of_class(self.window_class)

    def prepare(self, folder):
        folder.mkdir(parents=True, exist_ok=True)

    def command(self):
        raise NotImplementedError

    def wait_until_ready(self):
        self.desk.wait_until_still(1.5, 20)

    def show(self, scenario):
        """Brings the application to where the scenario begins."""

    def before(self, scenario, number):
        """What comes before each trial's action."""

    def place(self, x, y):
        """Where a scenario's place is on the screen."""
        return [x, y]

    def rectangle(self, corners):
        """The same for a rectangle."""
        x0, y0, x1, y1 = corners
        return *self.place(x0, y0), *self.place(x1, y1)

    def unjudged(self):
        """Rectangles of the application that have nothing to do with the scenario."""
        return []

    def confirm(self, scenario, end):
        """Raises `Failed` unless the application did all that the scenario is about, well before `end`. Returns when it says that
        it came to its end, if it says so."""

    def close(self):
        self.desk.close()


class Chromium(Subject):
    name, window_class = "Chromium", "chromium"
    BLANK = (140, 600)  # nothing of any page is there

    def prepare(self, folder):
        super().prepare(folder)
        # The page's upper left corner on the screen, once it is known.
        self.pages, self.corner = Pages(), (0, 0)

    def command(self):
        sandbox = ["--no-sandbox", "--test-type"] if os.geteuid() == 0 else []
        return [
            "chromium", *sandbox, "--no-first-run", "--no-default-browser-check", "--disable-gpu", "--disable-dev-shm-usage",
            "--disable-extensions", "--disable-sync", "--disable-background-networking", "--disable-component-update",
            "--disable-breakpad", "--disable-features=Translate,MediaRouter", "--password-store=basic",
            "--force-device-scale-factor=1", f"--user-data-dir={self.folder}/chromium", self.pages.url("kind=none"),
        ]  # fmt: skip

    def wait_until_ready(self):
        self._be_shown(60)
        super().wait_until_ready()
        # Some starts lose the first clicks and keys, and some pages believe for a while that their window is larger.
        for _ in range(10):
            self.session("left_click", coordinate=self.place(*self.BLANK))
            report = self._report(3)
            if report and report["presses"] and report["place"][0] == 0 < report["place"][1] < HEIGHT / 2:
                self.corner = tuple(map(round, report["place"]))
                return
        raise Failed(f"nothing that is clicked or pressed reaches Chromium, or it is not where it should be: {report}")

    def _be_shown(self, limit):
        self.pages.take("that it is shown", self.pages.shown, limit)

    def _report(self, limit):
        """What happened on the page since its last report."""
        self.desk.press_past_deskhand()
        try:
            return self.pages.take("what happened", self.pages.reports, limit)
        except Failed:
            return None

    def show(self, scenario):
        self.pages.forget()
        self.pages.go = self.pages.url(scenario.page)
        # A page that is still busy takes the key when it can.
        if not self._report(10):
            raise Failed("the page does not take the key that it reports on")
        self._be_shown(20)
        self.session("mouse_move", coordinate=self.place(*self.BLANK))
        time.sleep(4 if "ambient" in scenario.page else 1)

    def before(self, scenario, number):
        # What the page did to get back to where it began is no part of the trial.
        self._report(5)

    def place(self, x, y):
        return [self.corner[0] + x, self.corner[1] + y]

    def unjudged(self):
        """What is the browser's own: its rows, whose tabs and buttons fade long after the page is there, and the bubble at the
        bottom that says where a link goes and what is waited for."""
        return [(0, 0, WIDTH, self.corner[1]), (0, HEIGHT - 26, WIDTH, HEIGHT)]

    def confirm(self, scenario, end):
        report = self._report(5)
        if report is None:
            raise Failed("the page does not report")
        if report["presses"] < scenario.presses or len(report["steps"]) < scenario.steps:
            raise Failed(f"the page had {report['presses']} of {scenario.presses} presses and {len(report['steps'])} of {scenario.steps} steps")
        last = max(steps_at(report), default=None)
        if last and last > end - 0.5:
            raise Failed("the page came to its end too late for the recording")
        return last

    def close(self):
        super().close()
        self.pages.close()


class Xterm(Subject):
    name, window_class = "xterm", "xterm"

    def prepare(self, folder):
        super().prepare(folder)
        self.prompts = folder / "prompts"
        # Both are the shell's own commands: no process starts because of them.
        self.environment = {"PS1": "$ ", "PROMPT_COMMAND": f"echo $EPOCHREALTIME >>'{self.prompts}'"}

    def command(self):
        return ["xterm", "-u8", "-fa", "DejaVu Sans Mono", "-fs", "10", "-e", "bash", "--norc", "--noprofile"]

    def wait_until_ready(self):
        wait_for("the shell's prompt", self.prompts.exists)
        self.session("left_click", coordinate=[500, 400])
        super().wait_until_ready()

    def _prompts(self):
        return self.prompts.read_text().splitlines()

    def before(self, scenario, number):
        self.session("type", text=f"{scenario.line} #{number}")
        self.seen = len(self._prompts())

    def confirm(self, scenario, end):
        prompts = self._prompts()
        if len(prompts) - self.seen < scenario.steps:
            raise Failed("the shell has not come back to its prompt")
        return monotonic(float(prompts[-1])) if scenario.steps else None


class Mousepad(Subject):
    name, window_class = "mousepad", "mousepad"

    def prepare(self, folder):
        super().prepare(folder)
        (folder / "note.txt").write_text("")

    def command(self):
        return ["mousepad", "--disable-server", self.folder / "note.txt"]

    def wait_until_ready(self):
        super().wait_until_ready()
        self.session("left_click", coordinate=[500, 400])


class Writer(Subject):
    name, window_class = "LibreOffice Writer", "libreoffice"

    environment = {"SAL_USE_VCLPLUGIN": OfficeWriter.plugin}

    def prepare(self, folder):
        user = folder / "profile/user"
        user.mkdir(parents=True, exist_ok=True)
        (user / "registrymodifications.xcu").write_text(settings_file())
        (folder / OfficeWriter.file_name).write_bytes(OfficeWriter.empty)

    def command(self):
        profile = (self.folder / "profile").as_uri()
        return ["soffice", f"-env:UserInstallation={profile}", "--norestore", "--nologo", "--nofirststartwizard", self.folder / OfficeWriter.file_name]

    def wait_until_ready(self):
        # It draws its window in pieces, seconds apart on a busy machine.
        self.desk.wait_until_still(3, 60)
        self.session("left_click", coordinate=[500, 400])
        super().wait_until_ready()


SUBJECTS = {"chromium": Chromium, "xterm": Xterm, "mousepad": Mousepad, "writer": Writer}
