"""The columns: each does one thing to an application and says what became of it."""

import dataclasses
import re
import time

import content
import texts
from browsers import Browser
from desktop import Failed, Refused, wait_for
from loads import load
from office import Calc
from terminals import Terminal

STILL = 0.6  # seconds after which a click no longer belongs to the double click before it; toolkits take 0.25–0.5
EFFECT = 15  # seconds until an action counts as without effect; LibreOffice saves for 6 on a machine with too much to do


@dataclasses.dataclass
class Outcome:
    """What became of one run."""

    passed: bool
    lost: int = 0  # characters that did not arrive in their place
    added: int = 0  # and those that arrived and were not meant
    stopped_at: int | None = None  # the call said that it stopped after so many characters, and exactly those arrived
    milliseconds: float | None = None  # until the call was answered
    application: float | None = None  # until the application had it
    problem: str = ""
    missing: str = ""  # the different characters that were lost


# --- Text ------------------------------------------------------------------------------------------------------------


def text_column(name, typing=None):
    """A column that types a text. `typing` does it in place of Deskhand: a function from the text to nothing."""

    def run(app, number, load_name, adjust=lambda text: text):
        wanted = texts.read(name, number)
        app.begin()
        refused = None
        with load(load_name, app.process, number):
            begun, begun_at = time.perf_counter(), time.time()
            try:
                typing(wanted) if typing else app.desk("type", text=wanted, **app.meta)
            except Refused as error:
                refused = error
            took = (time.perf_counter() - begun) * 1000
        expected = adjust(wanted if refused is None else wanted[: refused.typed])
        received, at = app.received(expected)
        difference = texts.difference(expected, received)
        outcome = Outcome(difference.none and refused is None, difference.lost, difference.added, milliseconds=took)
        if at is not None:
            outcome.application = (at - begun_at) * 1000
        if refused is not None:
            outcome.problem = f"{refused} after {refused.typed} characters"
            outcome.lost += len(wanted) - refused.typed
            if difference.none:
                outcome.stopped_at = refused.typed
        if not difference.none:
            outcome.problem = f"{outcome.problem} {difference.first}".strip()
            outcome.missing = "".join(sorted(set(expected) - set(received)))
        return outcome

    return run


# --- Keys ------------------------------------------------------------------------------------------------------------

EDITING = [
    ("type", "garbage"), ("select all", ""), ("type", "one two"), ("key", "Home Delete"), ("type", "O"), ("key", "End BackSpace"),
    ("type", "O!"), ("key", "Return"), ("type", "three"), ("key", "Up"), ("type", "-"), ("key", "Left Left"), ("type", "_"),
    ("key", "Down Home Right Delete"),
]  # fmt: skip
EDITED = "One _t-wO!\ntree"

# Tab and Return go on to the next cell, Return back to where Tab began.
CALCULATING = [
    ("type", "a"), ("key", "Tab"), ("type", "b"), ("key", "Return"), ("type", "c"), ("key", "Return Up"), ("type", "d"),
    ("key", "Return Right"), ("type", "e"), ("key", "Return Home"), ("type", "fx"), ("key", "BackSpace"), ("type", "g"),
    ("key", "Return"), ("type", "x"), ("key", "Return Up Delete"),
]  # fmt: skip
CALCULATED = [["a", "b"], ["d"], ["", "e"], ["fg"]]


def act(app, steps):
    for kind, text in steps:
        app.desk("key" if kind != "type" else "type", text=text or app.select_all)


def compared(wanted, received):
    return Outcome(wanted == received, problem="" if wanted == received else f"{received!r} instead of {wanted!r}")


def keys(app, number, load_name):
    app.begin()
    steps = EDITING
    if isinstance(app, Terminal):
        pressed = ["Up", "Down", "Right", "Left", "Home", "End", "Delete", "BackSpace", "Tab", "Return", "Escape", "ctrl+a", "ctrl+c", "ctrl+z"]
        sent = ["\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", app.home, app.end, app.delete, app.backspace, "\t", "\n", "\x1b", "\x01", "\x03", "\x1a"]
        turn = number % len(pressed)
        with load(load_name, app.process, number):
            app.desk("key", text=" ".join(pressed[turn:] + pressed[:turn]))
        wanted = "".join(sent[turn:] + sent[:turn])
        return compared(wanted, app.received(wanted)[0])
    if isinstance(app, Calc):
        with load(load_name, app.process, number):
            act(app, CALCULATING)
        try:
            app.save_until("the cells", lambda _: app.cells() == CALCULATED, EFFECT)
        except Failed:
            pass
        return compared(CALCULATED, app.cells())
    wanted = EDITED
    # In a page Tab goes on to the next field.
    if not isinstance(app, Browser):
        steps, wanted = [*EDITING, ("key", "Tab")], EDITED.replace("tree", "t\tree")
    with load(load_name, app.process, number):
        act(app, steps)
    # The mark goes to the end, and the cursor is not there.
    app.desk("key", text="ctrl+End")
    return compared(wanted, app.received(wanted)[0])


# --- The pointer -----------------------------------------------------------------------------------------------------


def clicks(action, selected):
    """A column that selects with clicks and types over what is selected. `selected` is the pattern of what that must be."""

    def run(app, number, load_name):
        if isinstance(app, Calc):
            return cell_clicks(app, action, number, load_name)
        prepare(app)
        # Another place each time, so that no click belongs to the run before.
        place = app.place(right=number % 5 * 9, down=number % 3 * 20)
        with load(load_name, app.process, number):
            app.desk(action, coordinate=place)
        # A triple click selects a word on its way to the line.
        is_right = lambda text: re.fullmatch(selected, text) and text.rstrip("\n") in content.NUMBERED
        found = app.desktop.primary(EFFECT, is_right)
        if found is None or not is_right(found):
            return Outcome(False, problem=f"{action} selected {found!r}")
        if isinstance(app, Terminal):
            return Outcome(True)
        app.desk("type", text="X")
        # A triple click may take the line's end with it, and an editor may hold on to it.
        shown = found.rstrip("\n")
        wanted = [content.NUMBERED.replace(shown + end, "X", 1) for end in ("", "\n")]
        return held(app, lambda text: text in wanted, f"the text with {shown!r} replaced")

    return run


def prepare(app):
    app.fill(content.NUMBERED)
    # A program that has not shown its new view yet takes a click for one in the old view.
    app.desktop.settle()
    app.patiently("left_click", coordinate=app.place(down=-60))
    app.desktop.forget_primary()
    time.sleep(STILL)


def held(app, condition, what):
    """Whether the application comes to hold what it should."""
    try:
        if isinstance(app, Browser):
            wait_for(what, lambda: condition(app.page.state["text"]), EFFECT)
        else:
            app.save_until(what, condition, EFFECT)
        return Outcome(True)
    except Failed:
        text = app.page.state["text"] if isinstance(app, Browser) else app.saved()
        return Outcome(False, problem=f"not {what}: {texts.difference(content.NUMBERED, text).first or 'nothing has changed'}")


def cell_clicks(app, action, number, load_name):
    """In a sheet a double click opens the cell for editing: what is typed then stands inside its text, not in its place. A
    third click selects in it."""
    app.fill(content.NUMBERED)
    app.desktop.settle()
    place = app.place(right=number % 3 * 9, down=number % 3 * 20)
    with load(load_name, app.process, number):
        app.desk(action, coordinate=place)
    app.desk("type", text="X\n")

    def changed(text):
        lines, before = text.split("\n"), content.NUMBERED.split("\n")
        differing = [(one, other) for one, other in zip(before, lines, strict=False) if one != other]
        if len(lines) != len(before) or len(differing) != 1:
            return False
        one, other = differing[0]
        if action == "double_click":
            return other.replace("X", "", 1) == one
        # Of the cell's text a word or all of it has been replaced.
        return "X" in other and len(other) < len(one)

    return held(app, changed, f"one cell changed by {action} and X")


def drag(app, number, load_name):
    start, end = app.place(right=number % 5 * 9, down=-60), app.place(right=60 + number % 5 * 9, down=60)
    if isinstance(app, Calc):
        app.fill(content.NUMBERED)
        app.desktop.settle()
        with load(load_name, app.process, number):
            app.desk("left_click_drag", start_coordinate=start, coordinate=end)
        app.desk("key", text="Delete")
        return held(app, lambda text: cut_out(text, "\n"), "some cells in a row emptied")
    prepare(app)
    with load(load_name, app.process, number):
        app.desk("left_click_drag", start_coordinate=start, coordinate=end)
    is_right = lambda text: text in content.NUMBERED and text.count("\n") >= 3
    found = app.desktop.primary(EFFECT, is_right)
    if found is None or not is_right(found):
        return Outcome(False, problem=f"the drag selected {found!r}")
    if isinstance(app, Terminal):
        return Outcome(True)
    app.desk("type", text="X")
    wanted = content.NUMBERED.replace(found, "X", 1)
    return held(app, lambda text: text == wanted, f"the text with {len(found)} characters replaced")


def cut_out(text, _):
    """Whether consecutive lines of the text, at least three, are empty and all others as they were."""
    lines, before = text.split("\n"), content.NUMBERED.split("\n")
    if len(lines) != len(before):
        return False
    empty = [at for at, line in enumerate(lines) if not line]
    others = all(line == old for line, old in zip(lines, before, strict=True) if line)
    return others and len(empty) >= 3 and empty == list(range(empty[0], empty[-1] + 1))


def scroll(app, number, load_name):
    """The view moves by scrolling and comes back: told by the numbers of the lines that a double click finds."""
    if isinstance(app, Terminal) and not app.has_scrolling:
        # The wheel is two keys there; so it is counted exactly.
        app.begin()
        with load(load_name, app.process, number):
            app.desk("scroll", coordinate=app.place(), scroll_direction="up", scroll_amount=5)
            app.desk("scroll", coordinate=app.place(), scroll_direction="down", scroll_amount=3)
        wanted = "\x19" * 5 + "\x05" * 3
        return compared(wanted, app.received(wanted)[0])
    prepare(app)
    away, back = ("up", "down") if isinstance(app, Terminal) else ("down", "up")
    lines = [line_at(app, 0)]
    for step, direction in enumerate((away, back)):
        with load(load_name, app.process, number):
            app.desk("scroll", coordinate=app.place(), scroll_direction=direction, scroll_amount=5)
        lines.append(line_at(app, step + 1, but_not=lines[-1]))
    if None in lines:
        return Outcome(False, problem=f"no line to be found: {lines}")
    first, scrolled, last = lines
    moved = scrolled < first if away == "up" else scrolled > first
    return Outcome(moved and abs(last - first) <= 1, problem="" if moved and abs(last - first) <= 1 else f"lines {lines} under the pointer")


def line_at(app, step, but_not=None):
    """The number of the line at the place, once it is another than that one."""
    found = None
    deadline = time.monotonic() + EFFECT
    while time.monotonic() < deadline:
        time.sleep(STILL)
        step += 1
        if isinstance(app, Calc):
            app.desk("left_click", coordinate=app.place(right=step % 4 * 12))
            app.desk("key", text="ctrl+c")
            text = app.desktop.clipboard()
        else:
            app.desktop.forget_primary()
            app.desk("double_click", coordinate=app.place(right=step % 4 * 12))
            text = app.desktop.primary(EFFECT)
        match = re.match(r"line(\d)x(\d)", text or "")
        if match:
            found = int(match[1] + match[2])
            if found != but_not:
                return found
    return found


WORD = r"line\dx\d[a-z]+"
LINE = r"line\dx\d[a-z]+ tail\dx\d\n?"

COLUMNS = {
    "ascii": ("ASCII, 1,019 characters", text_column("ascii")),
    "mixed": ("752 mixed", text_column("mixed")),
    "han": ("2,000 different CJK", text_column("han")),
    "emoji": ("emoji", text_column("emoji")),
    "keys": ("keys", keys),
    "double": ("double click", clicks("double_click", WORD)),
    "triple": ("triple click", clicks("triple_click", LINE)),
    "drag": ("drag", drag),
    "scroll": ("scroll", scroll),
}
TEXTS = ("ascii", "mixed", "han", "emoji")
