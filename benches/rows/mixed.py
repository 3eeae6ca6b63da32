"""752 mixed characters into a text field of Chromium, and the first click after them, under openbox.

Each actor has a display and a browser of its own: Deskhand one that it owns, as in a guest; peers a plain Xvfb, as they find
elsewhere. The texts take seconds, so that rounds of everybody would say no more: they follow each other."""

import difflib
import time

from harness.page import Origin, open_browser
from harness.place import ROOT

from .base import Failed, Goal, NotInThisVersion, Place, Row, Session, reason_of

TEXT = ROOT / "tests/corpora/texts/mixed.txt"
TURN = 31  # characters, from one run to the next; as in tests/support/texts.rs
ARRIVAL = 5  # seconds for what is still on its way when the program says that it is done
# The project's window manager puts a browser on the right.
FIELD, ELSEWHERE = (700, 300), (700, 400)
LANDING = 60  # seconds for a click; the slowest peers' take 38


def arrived(wanted, received):
    """How many characters arrived in their place."""
    blocks = difflib.SequenceMatcher(None, wanted, received, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks)


class Typist:
    """Deskhand with a peer's methods."""

    name, kind, how = "Deskhand", "deskhand", ""

    def __init__(self, place):
        self.session = Session(place)

    def start(self):
        pass

    def close(self):
        pass

    def type(self, text):
        return self.session.times("type", {"text": text})[0]

    def click(self, x, y):
        return self.session.times("left_click", {"coordinate": [x, y]})[0]


class Mixed(Row):
    name = "mixed"
    summary = "752 mixed characters into Chromium, and the first click that lands after them, under openbox"
    titles = {
        "text": "752 mixed characters into Chromium",
        "click after": "first click that lands after that text, under openbox",
        "click after, from the page's last character": "the same, from the moment on at which the page has its last character",
        "click after, openbox as installed": "the first, openbox as installed",
    }
    goals = {"text": Goal("≤ 0.2 s, 0 lost", at_most=200, right=1), "click after": Goal("≤ 50 ms", at_most=50)}

    def measure(self):
        runs = 1 if self.is_quick else 10
        for as_installed in (False,) if self.is_quick else (False, True):
            yield from self.of(Typist, runs, as_installed)
            for peer in self.bench.peers:
                if "type" not in peer.can:
                    continue
                if peer.missing:
                    yield self.figure("text", peer.name, "peer", reason=peer.missing)
                    continue
                self.bench.say(peer.name)
                yield from self.of(peer, 1 if as_installed else min(runs, 3), as_installed)

    def of(self, kind, runs, as_installed):
        where = ", openbox as installed" if as_installed else ""
        text, click, last = (
            self.figure(f"{variant}{where}", kind.name, kind.kind, note=kind.how)
            for variant in ("text", "click after", "click after, from the page's last character")
        )
        origin = Origin(ROOT / "benches/content")
        try:
            with Place(self.bench, owned=kind is Typist) as place:
                place.start_window_manager(as_installed)
                open_browser(place, origin, "field.html")
                actor = kind(place)
                try:
                    actor.start()
                    actor.click(*FIELD)
                    for run in range(runs):
                        self.once(run, actor, origin, text, click, last)
                finally:
                    actor.close()
        except (Failed, NotInThisVersion, OSError) as error:
            text.reason = reason_of(error)
        finally:
            origin.close()
        for figure in (click, last):
            figure.reason = "" if figure.values else text.reason or f"no click landed within {LANDING} s"
        yield from (text, click, last)

    def once(self, run, actor, origin, text, click, last):
        whole = TEXT.read_text(encoding="utf-8").replace("\n", " ")
        # Turned, so that no run finds the keys as the last one left them.
        start = TURN * run % len(whole)
        wanted = whole[start:] + whole[:start]
        before, count = origin.state["text"], origin.state["clicks"]
        text.values.append(actor.type(wanted) * 1e3)
        begun = time.time() * 1e3
        actor.click(*ELSEWHERE)
        # An earlier one may be told late.
        if origin.wait("a click", lambda state: state["clicks"] > count and state["clicked_at"] >= begun, LANDING):
            landed, typed = origin.state["clicked_at"], origin.state["typed_at"]
            click.values.append(landed - begun)
            last.values.append(landed - max(begun, typed))
        origin.wait("the text", lambda state: len(state["text"]) >= len(before) + len(wanted), ARRIVAL)
        share = arrived(wanted, origin.state["text"][len(before) :]) / len(wanted)
        text.right = share if text.right is None else (text.right * run + share) / (run + 1)
        # A click is not quick after a text of which half was lost.
        click.right = last.right = text.right
