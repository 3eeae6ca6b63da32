"""Cells, the lines of JSON and the Markdown table that they become."""

import collections
import dataclasses
import statistics

from columns import COLUMNS, TEXTS


@dataclasses.dataclass
class Cell:
    """All runs of one column on one row under one load by one program."""

    row: str
    column: str
    load: str
    actor: str = "Deskhand"
    runs: int = 0
    passed: int = 0
    lost: int = 0
    added: int = 0
    stopped: list = dataclasses.field(default_factory=list)
    milliseconds: list = dataclasses.field(default_factory=list)
    application_milliseconds: list = dataclasses.field(default_factory=list)
    problems: list = dataclasses.field(default_factory=list)
    missing: str = ""
    # What the application makes of a character from any keyboard.
    unreceivable: dict = dataclasses.field(default_factory=dict)
    # With what: the lines that head the page are made of it.
    measured: dict = dataclasses.field(default_factory=dict)

    def add(self, outcome):
        self.runs += 1
        self.passed += outcome.passed
        self.lost += outcome.lost
        self.added += outcome.added
        self.missing = "".join(sorted(set(self.missing + outcome.missing)))
        if outcome.stopped_at is not None:
            self.stopped.append(outcome.stopped_at)
        if outcome.milliseconds is not None:
            self.milliseconds.append(round(outcome.milliseconds, 1))
        if outcome.application is not None:
            self.application_milliseconds.append(round(outcome.application, 1))
        if outcome.problem and len(self.problems) < 5:
            self.problems.append(outcome.problem)

    @property
    def perfect(self):
        return self.passed == self.runs

    def as_dict(self):
        return {"section": "table"} | dataclasses.asdict(self)

    def shown(self):
        parts = [f"{self.passed}/{self.runs}" if self.perfect else f"**{self.passed}/{self.runs}**"]
        if self.column in TEXTS:
            if not self.perfect or self.lost or self.added:
                parts.append(f"{self.lost} lost" + (f", {self.added} added" if self.added else ""))
            if self.stopped:
                parts.append(f"said so at {min(self.stopped)}")
            if self.milliseconds:
                application = f" / {middle(self.application_milliseconds)}" if self.application_milliseconds else ""
                parts.append(f"{middle(self.milliseconds)}{application} ms")
        if self.unreceivable:
            parts.append(f"{len(self.unreceivable)} ※")
        return "<br>".join(parts)


def middle(numbers):
    value = statistics.median(numbers)
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def origins(entries):
    """What measured how many of them: the same for all, unless the page is made of several runs."""
    lines = []
    for name in dict.fromkeys(name for entry in entries for name in entry.measured):
        counts = collections.Counter(entry.measured.get(name, "not written down") for entry in entries)
        values = [f"{value} ({count} of {len(entries)})" if len(counts) > 1 else value for value, count in counts.items()]
        lines.append(f"{name}: {'; '.join(values)}")
    return lines


def markdown(settings, names, cells, landings, missing_peers):
    """The whole page. `settings` are lines about the run, `names` the rows' names."""
    lines = ["# What applications receive", "", "Written by `tests/apps/run`; `README.md` beside this page says what each cell means.", ""]
    lines += [f"- {line}" for line in settings] + [""]
    for load in dict.fromkeys(cell.load for cell in cells if cell.actor == "Deskhand"):
        lines += section(f"Deskhand, {load}", [cell for cell in cells if cell.load == load and cell.actor == "Deskhand"], names)
    peers = [cell for cell in cells if cell.actor != "Deskhand"]
    if peers or missing_peers:
        lines += peer_section(peers, names, missing_peers)
    if landings:
        lines += landing_section(landings)
    return "\n".join(lines + notes(cells, landings))


def row_of(cells):
    return "| " + " | ".join(cells) + " |"


def section(title, cells, names):
    columns = [name for name in COLUMNS if any(cell.column == name for cell in cells)]
    lines = [f"## {title}", "", row_of([""] + [COLUMNS[name][0] for name in columns]), "|---" * (len(columns) + 1) + "|"]
    for row in dict.fromkeys(cell.row for cell in cells):
        found = {cell.column: cell.shown() for cell in cells if cell.row == row}
        lines.append(row_of([names[row]] + [found.get(name, "") for name in columns]))
    return [*lines, ""]


def peer_section(cells, names, missing):
    lines = ["## The same texts by other programs, idle", "", row_of(["", "", "ASCII, 1,019 characters", "752 mixed"]), "|---|---|---|---|"]
    for actor, row in dict.fromkeys((cell.actor, cell.row) for cell in cells):
        found = {cell.column: cell.shown() for cell in cells if (cell.actor, cell.row) == (actor, row)}
        lines.append(row_of([actor, names[row], found.get("ascii", ""), found.get("mixed", "")]))
    return [*lines, *(f"\n{name} could not be installed: {reason}" for name, reason in missing.items()), ""]


def landing_section(landings):
    lines = ["## Milliseconds from the end of a text to a click that lands", "", "Median and longest; of clicks on the page also from its last character.", ""]
    texts = list(dict.fromkeys(landing.text for landing in landings))
    heads = [f"{COLUMNS[text][0]}: {target}" for text in texts for target in ("the page", "another window")]
    lines += [row_of(["window manager", "typed by", *heads]), "|---" * (len(heads) + 2) + "|"]
    for manager, actor in dict.fromkeys((landing.window_manager, landing.actor) for landing in landings):
        shown = {}
        for landing in landings:
            if (landing.window_manager, landing.actor) == (manager, actor):
                times, bad = landing.milliseconds, len(landing.problems)
                text = f"{middle(times)}, {max(times):,.0f}" if times else "none landed"
                if landing.after_text:
                    text += f" ({middle(landing.after_text)}, {max(landing.after_text):,.0f})"
                shown[landing.text, landing.target] = text + (f"<br>**{bad} failed**" if bad else "")
        lines.append(row_of([MANAGERS[manager], actor, *(shown.get((text, target), "") for text in texts for target in ("the page", "another window"))]))
    return [*lines, ""]


MANAGERS = {"openbox": "openbox, as `xvfb/session` starts it", "openbox-compose": "openbox that reads its Compose file", "xfwm4": "xfwm4", "none": "none"}


def notes(cells, landings):
    """What went wrong, and what no keyboard can do."""
    lines = []
    for cell in cells:
        if cell.unreceivable:
            shown = ", ".join(f"U+{ord(character):04X} arrives as {piece!r}" for character, piece in cell.unreceivable.items())
            lines.append(f"- ※ {cell.row}, {cell.column}: from a keymap that simply has them as well: {shown}")
        for problem in cell.problems if cell.actor == "Deskhand" else ():
            lines.append(f"- {cell.row}, {cell.column}, {cell.load}: {escaped(problem)}")
    for landing in landings:
        for problem in dict.fromkeys(landing.problems):
            lines.append(f"- click after {landing.text}, {landing.actor}, {landing.window_manager}, {landing.target}: {escaped(problem)}")
    return ["## What went wrong", "", *lines, ""] if lines else []


def escaped(text):
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)[:400].replace("|", "\\|")
