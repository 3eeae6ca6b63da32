"""A click and the picture of what came of it: right or not, and how long beyond the page's own time.

Beside `_meta.observe` stand the fixed sleeps that other executors have: the click, so many seconds, then the picture."""

import base64
import io
import time

from PIL import Image

from harness.page import Origin, open_browser
from harness.place import ROOT

from .base import Failed, Goal, NotInThisVersion, Place, Row, Session, reason_of

# Ways to react that leave evidence: at once, by work of the processor, over the network, step by step.
REACTIONS = ("now-0", "work-120", "work-700", "fetch-300", "fetch-1200", "steps-300")
SLEEPS = (0.3, 1.0, 2.0)
REPORT = 5  # seconds until the page's report of its own time, which it sends a second later, counts as missing
# The project's window manager puts a browser on the right; the page's square is at its upper left.
CLICKED, LOOKED_AT = [700, 100], (700, 200)


class Observe(Row):
    name = "observe"
    summary = "a click and the right picture of its effect, beyond the page's own time; beside it fixed sleeps of 0.3, 1 and 2 s"
    titles = {"": "act → right observation, beyond the page's own time"}
    goals = {"": Goal("≥ 99 % right, own time + 80 ms", at_most=80, right=0.99)}

    def measure(self):
        runs = 2 if self.is_quick else 20
        ways = {"Deskhand": (self.figure("", "Deskhand"), self.observed)}
        for seconds in SLEEPS:
            figure = self.figure("", f"a sleep of {seconds} s", "peer", note="click, sleep, screenshot, by Deskhand")
            ways[figure.actor] = figure, lambda session, seconds=seconds: self.slept(session, seconds)
        for reaction in REACTIONS[:2] if self.is_quick else REACTIONS:
            self.bench.say(reaction)
            self.reaction(reaction, runs, ways)
        for figure, _ in ways.values():
            yield figure

    def reaction(self, reaction, runs, ways):
        origin = Origin(ROOT / "benches/content")
        try:
            with Place(self.bench, owned=True) as place:
                place.start_window_manager()
                open_browser(place, origin, f"reacts.html#{reaction}")
                session = Session(place)
                time.sleep(1)  # the evidence is compared with a second in which nothing was done
                for _ in range(runs):
                    for figure, act in ways.values():
                        if not figure.reason:
                            self.once(session, origin, figure, act)
        finally:
            origin.close()

    def once(self, session, origin, figure, act):
        turn = origin.state["turn"]
        begun = time.perf_counter()
        try:
            picture = act(session)
        except (Failed, NotInThisVersion) as error:
            figure.reason, figure.values = reason_of(error), []
            return
        took = (time.perf_counter() - begun) * 1e3
        if not origin.wait("the reaction", lambda state: state["turn"] > turn, REPORT):
            raise Failed("the page does not react to a click")
        turn = origin.state["turn"]
        wanted = (40 + turn % 5 * 40, 40 + turn // 5 % 5 * 40, 90)
        is_right = Image.open(io.BytesIO(picture)).convert("RGB").getpixel(LOOKED_AT) == wanted
        figure.values.append(took - origin.state["own"])
        figure.right = ((figure.right or 0) * (len(figure.values) - 1) + is_right) / len(figure.values)
        time.sleep(0.3)  # the report's own traffic ends

    @staticmethod
    def observed(session):
        session.needs_meta("observe")
        try:
            result = session("left_click", coordinate=CLICKED, _meta={"observe": {}})
        except Failed as error:
            if "unsupported" in str(error):
                raise NotInThisVersion("_meta.observe") from None
            raise
        return base64.b64decode(result["image"]["data"])

    @staticmethod
    def slept(session, seconds):
        session("left_click", coordinate=CLICKED)
        time.sleep(seconds)
        return base64.b64decode(session("screenshot", _meta={"observe": None})["image"]["data"])
