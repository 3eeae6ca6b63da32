"""What arrived where: every server of the lab notes the bytes that reach it, and whoever tried to get there asks for them."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Arrival:
    how: str
    where: str
    text: str


class Evidence:
    def __init__(self) -> None:
        self.arrivals: list[tuple[Arrival, bytes]] = []
        self.lock = threading.Lock()

    def add(self, how: str, where: str, data: bytes) -> None:
        with self.lock:
            self.arrivals.append((Arrival(how, where, data[:400].decode("latin-1")), data))

    def of(self, mark: str) -> list[dict[str, str]]:
        """Arrivals whose bytes contain the mark, as text or, where it is hexadecimal, as bytes."""
        wanted = [mark.encode()]
        try:
            wanted.append(bytes.fromhex(mark))
        except ValueError:
            pass
        with self.lock:
            return [asdict(arrival) for arrival, data in self.arrivals if any(part in data for part in wanted)]
