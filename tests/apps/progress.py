"""How much is left to do, told after each cell."""

import statistics
import time


class Progress:
    """Expects a cell to take as long as the others of its kind did; of a kind that has not been seen, as long as any."""

    def __init__(self, kinds):
        self.left, self.times = list(kinds), {}
        self.all, self.begun, self.last = len(self.left), time.monotonic(), time.monotonic()

    def done(self, kind):
        now = time.monotonic()
        self.times.setdefault(kind, []).append(now - self.last)
        self.last = now
        self.left.remove(kind)
        every = statistics.fmean(one for times in self.times.values() for one in times)
        left = sum(statistics.fmean(self.times[one]) if one in self.times else every for one in self.left)
        print(f"    {self.all - len(self.left)} of {self.all} after {shown(now - self.begun)}, about {shown(left)} left", flush=True)


def shown(seconds):
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if seconds < 90 else f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"
