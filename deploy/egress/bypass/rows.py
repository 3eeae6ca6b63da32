"""The rows of the bypass list: what each tries, and what has to come of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from .probe import Outcome, Probe

# What has to come of a row.
ALLOWED, DENIED = "allowed", "denied"


@dataclass(frozen=True)
class Row:
    name: str
    what: str
    expected: str
    attempt: Callable[[Probe], Outcome]


ROWS: list[Row] = []


def row(name: str, what: str, expected: str = DENIED) -> Callable[[Callable[[Probe], Outcome]], Callable[[Probe], Outcome]]:
    def add(attempt: Callable[[Probe], Outcome]) -> Callable[[Probe], Outcome]:
        if any(other.name == name for other in ROWS):
            raise ValueError(f"two rows are called {name}")
        ROWS.append(Row(name, what, expected, attempt))
        return attempt

    return add


def all_rows() -> list[Row]:
    # Each registers its rows when it is imported.
    from . import rows_names, rows_addresses, rows_tunnels, rows_requests, rows_direct  # noqa: F401

    return ROWS
