"""752 mixed characters into a text field of Chromium, and the first click after them, under openbox.

Each actor has a display and a browser of its own: Deskhand one that it owns, as in a guest; peers a plain Xvfb, as they find
elsewhere. The texts take seconds, so that rounds of everybody would say no more: they follow each other."""

import difflib
import time

from harness.page import Origin, open_browser
from harness.place import ROOT

from .base import Failed, Goal, NotInThisVersion, Place, Row, Session, reason_of

TEXT = ROOT / "tests/corpora/texts/mixed.txt"
ARRIVAL = 10  # seconds for what is still on its way when the program says that it is done
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
    summary = "752 mixed characters into Chromium, and the first click that lands after them under openbox"
    titles = {"text": "752 mixed characters into Chromium", "click after": "first click that lands after that text, under openbox"}
    goals = {"text": Goal("≤ 0.2 s, 0 lost", at_most=200, right=1), "click after": Goal("≤ 50 ms", at_most=50)}

    def measure(self):
        runs = 1 if self.is_quick else 10
        yield from self.of(Typist, runs)
        for peer in self.bench.peers:
            if "type" not in peer.can:
                continue
            if peer.missing:
                yield self.figure("text", peer.name, "peer", reason=peer.missing)
                continue
            self.bench.say(peer.name)
            yield from self.of(peer, min(runs, 3))

    def of(self, kind, runs):
        text, click = (self.figure(variant, kind.name, kind.kind, note=kind.how) for variant in ("text", "click after"))
        origin = Origin(ROOT / "benches/content")
        try:
            with Place(self.bench, owned=kind is Typist) as place:
                place.start_window_manager()
                open_browser(place, origin, "field.html")
                actor = kind(place)
                # Some peers can click only after they have typed, so one that fails is still measured for the other.
                actor.start()
                try:
                    actor.click(300, 300)
                    for run in range(runs):
                        self.once(run, actor, origin, text, click)
                finally:
                    actor.close()
        except (Failed, NotInThisVersion, OSError) as error:
            text.reason = text.reason or reason_of(error)
        finally:
            origin.close()
        if not click.values and not click.reason:
            click.reason = text.reason or "no click landed"
        yield from (text, click)

    def once(self, run, actor, origin, text, click):
        whole = TEXT.read_text(encoding="utf-8").replace("\n", " ")
        # Turned, so that no run finds the keys as the last one left them.
        wanted = whole[31 * run % len(whole) :] + whole[: 31 * run % len(whole)]
        before = origin.state.get("text", "")
        text.values.append(actor.type(wanted) * 1e3)
        count = origin.state.get("clicks", 0)
        begun = time.time() * 1e3
        actor.click(300, 400)
        if origin.wait("a click", lambda state: state["clicks"] > count, LANDING):
            click.values.append(origin.state["clicked_at"] - begun)
        origin.wait("the text", lambda state: len(state.get("text", "")) >= len(before) + len(wanted), ARRIVAL)
        received = origin.state.get("text", "")[len(before) :]
        share = arrived(wanted, received) / len(wanted)
        text.right = share if text.right is None else (text.right * run + share) / (run + 1)
