"""Streaming: from a change of the screen until all of it has come to a subscriber."""

from harness import frames

from .base import Failed, NotInThisVersion, Place, Row, Session, Turn, companions, interleave, reason_of

CHANGES = (1.0, 10.0, 100.0)


class Streaming(Row):
    name = "streaming"
    summary = "from a change of the screen until a subscriber has all of it"
    titles = {f"{change:g} % changed": f"streaming: change → subscriber, {change:g} % of the screen" for change in CHANGES}

    def measure(self):
        with Place(self.bench) as place:
            # Its two pictures differ nearly everywhere, so that it is known how many pixels have to come.
            frames.show(place, "gradient")
            session, subscription, reason = Session(place), None, ""
            try:
                session.needs("subscribe")
                subscription = session("subscribe", events=["frames"])["subscription"]
                # The first frame is a whole one.
                self.stream(session, subscription, 0, 1.0)
            except (Failed, NotInThisVersion) as error:
                unsupported = "unsupported" in str(error) or "unknown" in str(error)
                reason = reason_of(NotInThisVersion("subscribe") if unsupported else error)
            with companions(place, "stream") as present:
                for change in CHANGES:
                    variant = f"{change:g} % changed"
                    place.client("restore", percent=change)
                    for _, one in present:
                        if not isinstance(one, str):
                            one.settle()
                    measure = lambda count, change=change: self.stream(session, subscription, count, change)
                    turns = [Turn(self.figure(variant, "Deskhand", reason=reason), measure, burst=True)]
                    capture = lambda count, change=change: self.bench.client.seconds("capture", count=count, change=change, compare=True)
                    turns.append(Turn(self.figure(variant, "limit: capture + compare", "limit"), capture, burst=True))
                    for peer, one in present:
                        figure = self.figure(variant, peer.name, "peer", note=peer.how, reason=one if isinstance(one, str) else "")
                        turns.append(Turn(figure, lambda _, one=one, change=change: [one.change(change)[0]]))
                    yield from interleave(turns, self.budget(rounds=20))

    @staticmethod
    def stream(session, subscription, count, percent):
        answer = session.client("stream", name=session.name, subscription=subscription, count=count, percent=percent)
        return [one * 1e-9 for one in answer["nanoseconds"]]
