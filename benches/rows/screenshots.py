"""Screenshots at 1024×768 of a busy web page: nothing changed, a little, everything."""

from harness import frames

from .base import Failed, Goal, NotInThisVersion, Place, Row, Session, Turn, companions, interleave, reason_of


def turns_of_deskhand(row, place, variant, change, limit_parts):
    """Deskhand with its pictures as base64 and as attachments, and the limit: as many bytes to and fro, and what else any
    executor has to do."""
    session = Session(place)
    size = session.exchange("screenshot", count=2, change=change)
    client, sent, binary, text = place.client, size["sent"], size["binary"], size["bytes"][-1] - size["binary"]

    def limit(count):
        """One of each after the other, so that they share their moment."""
        took = client.seconds("echo", name="echo", binary=binary, text=text, request=sent, count=count)
        if "capture" in limit_parts or "encode" in limit_parts:
            compare = "compare" in limit_parts
            took = [a + b for a, b in zip(took, client.seconds("capture", count=count, change=change, compare=compare))]
        if "encode" in limit_parts:
            took = [a + b for a, b in zip(took, client.seconds("encode", count=count))]
        return took

    note = f"{(binary + text) / 1000:.0f} kB"
    yield Turn(row.figure(variant, "Deskhand", note=note), lambda count: session.times("screenshot", count=count, change=change), burst=True)
    yield Turn(row.figure(variant, "limit: " + " + ".join(("echo", *limit_parts)), "limit", note=note), limit, burst=True)
    figure = row.figure(variant, "Deskhand, attachments", "variant")
    try:
        attaching = Session(place, attachments=True)
        yield Turn(figure, lambda count: attaching.times("screenshot", count=count, change=change), burst=True)
    except (Failed, NotInThisVersion) as error:
        figure.reason = reason_of(error)
        yield Turn(figure, None)
    if change == 0:
        frame = session("screenshot")["frame"]
        params = {"_meta": {"if_changed": frame}}
        yield Turn(row.figure(variant, "Deskhand, if_changed", "variant"), lambda count: session.times("screenshot", params, count), burst=True)


def turns_of_peers(row, place, variant, change, present, kind):
    """Peers, and whether their picture is right: some make smaller ones of large screens."""
    size = place.width, place.height
    shown = frames.make(place.bench, kind, size)[0]
    place.client("restore", percent=change)
    for peer, one in present:
        figure = row.figure(variant, peer.name, "peer", note=peer.how)
        if isinstance(one, str):
            figure.reason = one
        else:
            try:
                wrong = frames.same(one.picture(), shown, size)
                figure.right = 0.0 if wrong else 1.0
                figure.note += f"; {wrong}" if wrong else ""
            except (Failed, OSError, ValueError) as error:
                figure.reason = reason_of(error)
        yield Turn(figure, lambda _, one=one: [one.screenshot(change)])


class Unchanged(Row):
    name = "screenshot-unchanged"
    summary = "a screenshot of a screen that has not changed"
    quick = True
    titles = {"": "screenshot, unchanged screen"}
    goals = {"": Goal("≤ 2 × limit, ≥ 50 × best peer", of_limit=2, of_peer=50)}
    change, limit_parts = 0, ()
    burst = 10

    def measure(self):
        with Place(self.bench) as place:
            frames.show(place, "page")
            with companions(place, "screenshot") as present:
                turns = [
                    *turns_of_deskhand(self, place, "", self.change, self.limit_parts),
                    *turns_of_peers(self, place, "", self.change, present, "page"),
                ]
                yield from interleave(turns, self.budget(burst=self.burst))


class SmallChange(Unchanged):
    name = "screenshot-small-change"
    summary = "a screenshot after 1 % of the screen has changed"
    titles = {"": "screenshot, 1 % changed"}
    goals = {"": Goal("≤ 0.8 ms, ≤ 3 × limit", at_most=0.8, of_limit=3)}
    change, limit_parts = 1.0, ("capture", "compare")


class AllChanged(Unchanged):
    name = "screenshot-all-changed"
    summary = "a screenshot after all of a web page has changed"
    titles = {"": "screenshot, all changed, web page"}
    goals = {"": Goal("≤ 3 ms, ≤ 1.3 × limit, ≥ 4 × best peer", at_most=3, of_limit=1.3, of_peer=4)}
    change, limit_parts = 100.0, ("capture", "encode")
