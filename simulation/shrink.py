"""Shrinks a case that fails to few events and faults with which it still fails."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from simulation.run import Case, Report, run
from simulation.stream import Sent

LONGEST = 60.0
"""Seconds of CPU after which the shortest case so far is good enough."""


def shrunk(report: Report, run: Callable[[Case], Report] = run, longest: float = LONGEST) -> Report:
    """Return the report of the shortest case found that fails.

    Each try leaves out some of the faults, or of the events. A fault is named by how many moments came before
    it: without an earlier one it may strike elsewhere, so that what is found need not be what was reported.
    """
    ends = time.process_time() + longest
    best, size = report, -1
    while size != (size := len(best.case.events) + len(best.struck)) and time.process_time() < ends:
        for part in ("faults", "events"):
            best = _without_some(best, part, run, ends)
    return best


def _without_some(best: Report, part: str, run: Callable[[Case], Report], ends: float) -> Report:
    """Leave out half of the faults or events, then a quarter, down to each one, while it still fails."""
    step = len(_items(best.replayed, part))
    while step >= 1:
        at = 0
        while at < len(items := _items(best.replayed, part)) and time.process_time() < ends:
            left = _without(items, at, step) if part == "events" else [*items[:at], *items[at + step :]]
            tried = run(_with(best.replayed, part, left))
            if tried.differences:
                best = tried
            else:
                at += step
        step //= 2
    return best


def _items(case: Case, part: str) -> Sequence[Any]:
    return case.events if part == "events" else list((case.faults or {}).items())


def _without(events: Sequence[Sent], at: int, step: int) -> list[Sent]:
    """Leave out events. One that comes again goes with its first, without which it would be late."""
    left_out = events[at : at + step]
    before = {each.event_id for each in events[:at]}
    firsts = {each.event_id for each in left_out if not each.is_damaged} - before
    return [*events[:at], *(each for each in events[at + step :] if each.event_id not in firsts)]


def _with(case: Case, part: str, items: Sequence[Any]) -> Case:
    if part == "events":
        return replace(case, events=tuple(items))
    return replace(case, faults=dict(items))
