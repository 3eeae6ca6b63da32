"""The scenarios: an action on an application and what comes of it."""

import dataclasses
import itertools
import random

# What can be known of a reaction before it is over.
GROUPS = {
    "evidence": "leaves evidence: the screen changes within 250 ms, or processor time, a request or a command shows that more is to come",
    "gaps": "has begun, then pauses with nothing to show that it goes on",
    "silent": "a timer: for 300 ms or more nothing differs from nothing",
    "nothing": "nothing happens",
}


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    group: str
    meaning: str
    subject: str
    method: str
    # From the number of the trial and the application's `place` to the action's parameters.
    parameters: object
    own: float = 0.0  # seconds that the application takes at least
    presses: int = 0  # that the page has to have had, and how often it has to have painted
    steps: int = 0
    page: str = ""  # how the page is asked for
    line: str = ""  # what is typed into the shell before
    ignored: tuple = ()  # rectangles on the page that move by themselves
    reset: tuple = ()  # actions after each trial, from where the next begins

    @property
    def reacts(self):
        return self.group != "nothing"


SPINNER = ((920, 0, 1024, 48),)
CLOCK = ((860, 0, 1024, 40),)
CARET = ((56, 256, 664, 304),)


def click(x, y):
    return lambda number, place: {"coordinate": place(x, y)}


def key(text):
    return lambda number, place: {"text": text}


def forty_characters(number, place):
    return {"text": "".join(random.Random(number).choices("abcdefghij klmnop", k=40))}


BLANK = click(140, 600)
BUTTON = click(140, 464)


def clicked(name, group, meaning, page, own=0.0, steps=1, parameters=BLANK, **more):
    """A click on the page, which is a press for it and leads to so many paints."""
    return Scenario(name, group, meaning, "chromium", "left_click", parameters, own, 1, steps, page, **more)


def page_scenarios():
    for delay in (0, 120, 300, 700, 1200):
        group = "evidence" if delay < 250 else "silent"
        yield clicked(f"timer{delay}", group, f"a script paints after {delay} ms", f"kind=timer&delay={delay}", delay / 1000)
    for delay in (0, 120, 300, 700, 1200):
        yield clicked(f"fetch{delay}", "evidence", f"a request is answered after {delay} ms, then it paints", f"kind=fetch&delay={delay}", delay / 1000)
    for delay in (120, 300, 700, 1200):
        yield clicked(f"cpu{delay}", "evidence", f"it computes for {delay} ms, then paints", f"kind=cpu&delay={delay}", delay / 1000)
    for delay in (300, 800):
        yield clicked(f"transition{delay}", "evidence", f"a CSS transition of {delay} ms", f"kind=transition&delay={delay}", delay / 1000)
    for delay in (80, 200, 400):
        group = "evidence" if delay < 100 else "gaps"
        yield clicked(f"stream{delay}", group, f"one answer in three parts {delay} ms apart, each painted", f"kind=stream&delay={delay}", delay / 500, 3)
    for delay in (80, 200, 400):
        yield clicked(f"steps{delay}", "gaps", f"three paints {delay} ms apart, by timers", f"kind=steps&delay={delay}", delay / 500, 3)
    for delay in (80, 200, 400):
        yield clicked(f"chain{delay}", "evidence", f"a paint and two requests of {delay} ms, a paint after each", f"kind=chain&delay={delay}", delay / 500, 3)
    for ambient, ignored in (("spinner", SPINNER), ("clock", CLOCK)):
        for kind, delay, group in (("timer", 0, "evidence"), ("timer", 300, "silent"), ("fetch", 300, "evidence"), ("none", 0, "nothing")):
            name = f"{ambient}-{kind}{delay if kind != 'none' else ''}"
            page = f"kind={kind}&delay={delay}&ambient={ambient}"
            meaning = f"a {ambient} in the corner, and " + ("nothing" if kind == "none" else f"as {kind}{delay}")
            yield clicked(name, group, meaning, page, delay / 1000, int(kind != "none"), ignored=ignored)
    for traffic, meaning in (("poll", "the page asks for something every 500 ms"), ("long", "a request that stays open")):
        yield clicked(f"{traffic}-timer0", "evidence", f"{meaning}; as timer0", f"kind=timer&delay=0&traffic={traffic}")
        yield clicked(f"{traffic}-none", "nothing", f"{meaning}; nothing", f"kind=none&traffic={traffic}", steps=0)


def other_scenarios():
    chromium = lambda name, group, meaning, method, parameters, **more: Scenario(name, group, meaning, "chromium", method, parameters, **more)
    yield chromium("focus", "evidence", "a click into the other of two fields; a caret blinks", "left_click",
                   lambda number, place: {"coordinate": place(300, (180, 80)[number % 2])}, steps=1, page="kind=fields")  # fmt: skip
    yield chromium("type40", "evidence", "40 characters into a field", "type", forty_characters, steps=40, page="kind=fields",
                   reset=(("key", {"text": "ctrl+a Delete"}),))  # fmt: skip
    for delay in (150, 600):
        yield chromium(f"navigate{delay}", "evidence", f"a link to a server that takes {delay} ms", "left_click", click(170, 120),
                       own=delay / 1000, steps=1, page=f"kind=links&delay={delay}")  # fmt: skip
    yield chromium("scroll5", "evidence", "five notches, scrolled smoothly", "scroll",
                   lambda number, place: {"coordinate": place(500, 300), "scroll_direction": ("down", "up")[number % 2], "scroll_amount": 5},
                   own=0.1, steps=1, page="kind=scroll")  # fmt: skip
    away = (("mouse_move", BLANK),)
    yield chromium("hover", "evidence", "the pointer on a button that fades to another colour in 150 ms", "mouse_move", BUTTON,
                   own=0.15, steps=1, page="kind=button", reset=away)  # fmt: skip
    yield clicked("button", "evidence", "such a button pressed, and nothing else", "kind=button", 0.15, 1, BUTTON, reset=away)
    yield clicked("button-fetch300", "evidence", "such a button, and as fetch300", "kind=button&then=fetch&delay=300", 0.45, 1, BUTTON, reset=away)
    yield clicked("button-timer300", "gaps", "such a button, and as timer300", "kind=button&then=timer&delay=300", 0.45, 1, BUTTON, reset=away)
    yield clicked("none", "nothing", "a click on an empty place", "kind=none", steps=0)
    yield clicked("caret-none", "nothing", "the same while a caret blinks in a field", "kind=none&ambient=caret", steps=0, ignored=CARET)
    yield chromium("key-none", "nothing", "a key without a meaning", "key", key("F9"), presses=1, page="kind=none")

    escape = (("key", {"text": "Escape"}),)
    empty = (("key", {"text": "ctrl+a Delete"}),)
    yield Scenario("gtk-menu-key", "evidence", "F10 opens a GTK menu", "mousepad", "key", key("F10"), reset=escape)
    yield Scenario("gtk-menu-click", "evidence", "a click opens a GTK menu", "mousepad", "left_click", click(18, 12), reset=escape)
    yield Scenario("gtk-type40", "evidence", "40 characters into mousepad", "mousepad", "type", forty_characters, reset=empty)
    yield Scenario("writer-menu", "gaps", "alt+f opens Writer's menu, which is drawn in steps", "writer", "key", key("alt+f"), reset=escape)
    yield Scenario("writer-type40", "gaps", "40 characters into Writer, which draws its text, then its bars", "writer", "type", forty_characters, reset=empty)

    shell = lambda name, meaning, line, own, steps, reset=(): Scenario(
        name, "evidence", meaning, "xterm", "key", key("Return"), own, steps=steps, line=line, reset=reset)  # fmt: skip
    yield shell("shell-ls", "a command that is silent for 0.2 s, then fills the screen", "sleep 0.2; ls /usr/bin", 0.2, 1)
    yield shell("shell-steps", "three lines, 0.3 s before each", "for i in 1 2 3; do sleep 0.3; echo $i; done", 0.9, 1)
    yield shell("shell-true", "a command that does nothing", "true", 0.0, 1)
    yield shell("shell-cat", "a command that waits for input", "cat", 0.0, 0, (("key", {"text": "ctrl+c"}),))


SCENARIOS = {scenario.name: scenario for scenario in itertools.chain(page_scenarios(), other_scenarios())}
QUICK = ("timer0", "fetch300", "transition300", "none")
