"""How many screenshots and clicks a second, with one and with several requests on their way."""

import time

from harness import frames

from .base import Place, Row, Session, Turn, companions, interleave

IN_FLIGHT = (1, 8, 32)  # 32 is the most that the contract allows


class Throughput(Row):
    name = "throughput"
    summary = "screenshots and clicks a second, with 1, 8 and 32 requests on their way"
    quick = True
    titles = {f"{what}, {count} on their way": f"{what} a second, {count} on their way" for what in ("screenshots", "clicks") for count in IN_FLIGHT}

    def measure(self):
        with Place(self.bench) as place:
            frames.show(place, "page")
            yield from self.of("screenshots", place, "screenshot", {})
            place.client("uncover")
            place.client("recorder", width=640, height=480, managed=False)
            yield from self.of("clicks", place, "left_click", {"coordinate": [200, 200]})
            place.client("no_recorder")

    def of(self, what, place, method, params):
        total = 32 if self.is_quick else 320
        ability = {"screenshots": "screenshot", "clicks": "click"}[what]
        with companions(place, ability) as present:
            servers = [(peer, one) for peer, one in present if hasattr(peer, "pipeline")]
            for in_flight in IN_FLIGHT:
                # Clicks and looking are two sessions: a session that acts waits with its pictures until the screen has settled.
                session, variant = Session(place), f"{what}, {in_flight} on their way"
                turns = [self.turn(variant, "Deskhand", "deskhand", total, lambda total=total: session.pipeline(method, [params] * total, in_flight))]
                for peer, one in servers:
                    fewer = total // 16 if not isinstance(one, str) else 0
                    measure = lambda one=one, fewer=fewer: one.pipeline(ability, fewer, min(in_flight, fewer))
                    turns.append(self.turn(variant, peer.name, "peer", fewer, measure, one))
                if in_flight == 1 and not self.is_quick:
                    for peer, one in present:
                        if not hasattr(peer, "pipeline") and not peer.loses:
                            turns.append(self.turn(variant, peer.name, "peer", 2, lambda one=one: twice(one, ability), one))
                yield from interleave(turns, self.budget(rounds=5, seconds=8), scale=1)
                session.close()

    def turn(self, variant, actor, kind, total, measure, one=None):
        figure = self.figure(variant, actor, kind, unit="/s", better="more", reason=one if isinstance(one, str) else "")
        return Turn(figure, lambda _: [total / measure()])


def twice(one, ability):
    """Of a peer that takes one request at a time: two of them, one after the other."""
    begun = time.perf_counter()
    for _ in range(2):
        one.screenshot(None) if ability == "screenshot" else one.click(200, 200)
    return time.perf_counter() - begun
