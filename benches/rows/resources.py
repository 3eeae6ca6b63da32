"""Memory, processor time, size, and how long a start takes."""

import pathlib
import subprocess
import time

from actors.base import Peer
from harness import frames
from harness.processes import processor_time, proportional_memory, tree, used_since

from .base import Failed, Goal, Place, Row, Session, companions

MEGABYTE = 1e6
# Deskhand gives back what it shares with the X server after five seconds without a picture.
LEFT_ALONE = 6
SHOTS = 10_000


class Memory(Row):
    name = "memory"
    summary = f"memory of server and supervisor when idle and after {SHOTS:,} screenshots, and of peers that stay"
    quick = True
    titles = {"idle": "memory (PSS of server and supervisor), idle", "after screenshots": f"memory after {SHOTS:,} screenshots"}
    goals = {"idle": Goal("≤ 12 MB", at_most=12), "after screenshots": Goal("≤ 12 MB, no growth", at_most=12)}

    def measure(self):
        with Place(self.bench, owned=True) as place:
            session = Session(place)
            session("ping")
            time.sleep(LEFT_ALONE)
            yield self.memory("idle", "Deskhand", "deskhand", tree(place.server.pid))
            frames.show(place, "gradient" if self.is_quick else "page")
            shots = 300 if self.is_quick else SHOTS
            for _ in range(10):
                session.exchange("screenshot", count=shots // 10, change=1.0)
            time.sleep(LEFT_ALONE)
            figure = self.memory("after screenshots", "Deskhand", "deskhand", tree(place.server.pid))
            figure.note = f"after {shots:,}"
            yield figure
        with Place(self.bench) as place:
            for ability in ("screenshot", "stream"):
                with companions(place, ability) as present:
                    for peer, one in present:
                        if isinstance(one, str):
                            if peer.pids is not Peer.pids:
                                yield self.figure("idle", peer.name, "peer", unit="MB", reason=one)
                        elif one.pids():
                            pids = [pid for first in one.pids() for pid in tree(first)]
                            yield self.memory("idle", peer.name, "peer", pids)

    def memory(self, variant, actor, kind, pids):
        return self.figure(variant, actor, kind, unit="MB", values=[proportional_memory(pids) / MEGABYTE])


class Binary(Row):
    name = "binary"
    summary = "the size of the binary"
    quick = True
    titles = {"": "static binary"}
    goals = {"": Goal("≤ 8 MB", at_most=8)}

    def measure(self):
        figure = self.figure("", "Deskhand", unit="MB", values=[pathlib.Path(self.bench.binary).stat().st_size / MEGABYTE])
        linked = subprocess.run(["ldd", self.bench.binary], capture_output=True, text=True)
        is_static = any(text in linked.stdout + linked.stderr for text in ("statically linked", "not a dynamic executable"))
        figure.note = "static" if is_static else "not static"
        yield figure


class Attach(Row):
    name = "attach"
    summary = "from the start of the program on a display that is there to its ready line, and from connecting to the first screenshot"
    quick = True
    titles = {"first screenshot": "attach → first screenshot", "ready": "start → ready line"}
    goals = {"first screenshot": Goal("≤ 20 ms", at_most=20)}

    def measure(self):
        first, ready = self.figure("first screenshot", "Deskhand"), self.figure("ready", "Deskhand")
        first.note = "connecting, upgrade and screenshot, of a server that has just become ready"
        with Place(self.bench) as place:
            frames.show(place, "gradient")
            for _ in range(3 if self.is_quick else 20):
                place.stop_serving()
                ready.values.append(place.serve() * 1e3)
                session = Session(place, greet=False)
                first.values.append((session.connecting[0] + session.times("screenshot")[0]) * 1e3)
        yield from (first, ready)


class Desktops(Row):
    name = "desktops"
    summary = "1, 5 and 20 desktops side by side: memory and processor time of the executors alone, idle and at one screenshot a second each"
    titles = {
        "20, memory, idle": "20 desktops, executors alone: memory (PSS), idle",
        "20, processor time, idle": "20 desktops: processor time, idle",
        "20, processor time, looking": "20 desktops: processor time, one changed screenshot a second each",
    }
    goals = {"20, memory, idle": Goal("≤ 200 MB", at_most=200), "20, processor time, idle": Goal("0 %", at_most=0.1)}
    seconds = 5

    def measure(self):
        places = []
        try:
            for count in (1, 2) if self.is_quick else (1, 5, 20):
                while len(places) < count:
                    places.append(Place(self.bench, owned=True))
                self.bench.say(f"{count} desktops")
                sessions = [Session(place) for place in places]
                time.sleep(LEFT_ALONE)
                yield from self.share(count, "idle", places, lambda: time.sleep(self.seconds))
                yield from self.share(count, "looking", places, lambda sessions=sessions: self.look(places, sessions))
                for session in sessions:
                    session.close()
        finally:
            for place in reversed(places):
                place.close()

    def look(self, places, sessions):
        """One screenshot a second of each, evenly spread, after the whole screen has changed its colour."""
        begun = time.monotonic()
        for second in range(self.seconds):
            for index, (place, session) in enumerate(zip(places, sessions)):
                time.sleep(max(0, begun + second + index / len(sessions) - time.monotonic()))
                colour = f"#{40 * second:02x}{index:02x}60"
                subprocess.run(["xsetroot", "-solid", colour], env=place.environment(), check=True)
                session.exchange("screenshot")
        time.sleep(max(0, begun + self.seconds - time.monotonic()))

    def share(self, count, when, places, work):
        pids = [pid for place in places for pid in tree(place.server.pid)]
        if not pids:
            raise Failed("the servers are gone")
        before, begun = processor_time(pids), time.monotonic()
        work()
        share = used_since(before, pids) / (time.monotonic() - begun)
        yield self.figure(f"{count}, processor time, {when}", "Deskhand", unit="% of a core", values=[100 * share])
        yield self.figure(f"{count}, memory, {when}", "Deskhand", unit="MB", values=[proportional_memory(pids) / MEGABYTE])
