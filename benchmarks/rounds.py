"""Contenders take turns. All that is timed here is timed so.

The speed of a machine drifts, and others use it. So what is compared is what was measured within one round,
a moment apart, and the ratio that counts is the median of those of all rounds. Each round begins with another
contender, so that none always comes behind the same one. A round that is not counted comes first: it warms
up what has to be compiled, opened or cached. Before each run garbage is collected, and what is there is left
out of later collections; while it runs, the collector works as it does by itself, and its time counts.
"""

import gc
import sys
import time
from collections.abc import Callable, Mapping
from statistics import median, quantiles
from typing import Any

Run = Callable[[], object]
Timed = Callable[[], float]
"""Does all that is to be measured, and returns the seconds that it took."""

Prepare = Callable[[], Timed]
"""Makes what a run begins with, before the clock runs."""


class Rounds:
    """What each contender took in each round."""

    def __init__(self, taken: Mapping[str, list[float]]) -> None:
        self._taken = taken

    def median(self, name: str) -> float:
        """Return what a contender took, in the middle of all rounds."""
        return median(self._taken[name])

    def ratio(self, name: str, other: str) -> float:
        """Return how many times as long as the other a contender took: the median of the rounds' ratios."""
        return median(self._ratios(name, other))

    def compared(self, name: str, other: str) -> dict[str, float]:
        """Return that ratio, and between which two half of the rounds lie."""
        ratios = self._ratios(name, other)
        low, _, high = quantiles(ratios, n=4, method="inclusive")
        return {"ratio": median(ratios), "from": low, "to": high}

    def _ratios(self, name: str, other: str) -> list[float]:
        return [one / two for one, two in zip(self._taken[name], self._taken[other], strict=True)]


def take_turns(contenders: Mapping[str, Prepare], rounds: int) -> Rounds:
    """Let the contenders take turns: one round to warm up, and as many as are to be counted."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(-1, rounds):
        begin = number % len(names)
        for name in names[begin:] + names[:begin]:
            timed = contenders[name]()
            gc.collect()
            gc.freeze()
            seconds = timed()
            gc.unfreeze()
            if number >= 0:
                taken[name].append(seconds)
        progress(f"round {number + 1} of {rounds}")
    return Rounds(taken)


def clocked(run: Run) -> Timed:
    """Time a run by the clock on the wall."""

    def timed() -> float:
        begun = time.perf_counter()
        run()
        return time.perf_counter() - begun

    return timed


def progress(text: str) -> None:
    """Tell whoever waits at a terminal how far it is."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def rounded(figures: Any, digits: int = 4) -> Any:
    """Leave of each figure as many digits as mean something."""
    match figures:
        case float():
            return float(f"{figures:.{digits}g}")
        case dict():
            return {name: rounded(each, digits) for name, each in figures.items()}
        case list() | tuple():
            return [rounded(each, digits) for each in figures]
    return figures
