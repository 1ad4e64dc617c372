"""Rounds, in which contenders take turns. Everything that is timed is timed by them.

The speed of a machine drifts, and others use it. Therefore only measurements of one round are compared, a
moment apart, and the ratio shown is the median over all rounds. Each round begins with another contender, so
that none always comes after the same one. The first round is not counted: it warms up what has to be
compiled, opened or cached. Before each run garbage is collected, and existing objects are excluded from later
collections; during the run the collector works as usual, and its time counts.
"""

import gc
import sys
import time
from collections.abc import Callable, Mapping
from statistics import median, quantiles
from typing import Any

Run = Callable[[], object]
Timed = Callable[[], float]
"""Does the work to be measured, and returns the seconds that it took."""

Prepare = Callable[[], Timed]
"""Makes the input of a run, before the clock runs."""


class Rounds:
    """The seconds of each contender in each round."""

    def __init__(self, taken: Mapping[str, list[float]]) -> None:
        self._taken = taken

    def median(self, name: str) -> float:
        """Return the median time of a contender over all rounds."""
        return median(self._taken[name])

    def ratio(self, name: str, other: str) -> float:
        """Return how many times as long as the other a contender took: the median of the rounds' ratios."""
        return median(self._ratios(name, other))

    def compared(self, name: str, other: str) -> dict[str, float]:
        """Return that ratio, and the two values between which half of the rounds lie."""
        ratios = self._ratios(name, other)
        low, _, high = quantiles(ratios, n=4, method="inclusive")
        return {"ratio": median(ratios), "from": low, "to": high}

    def _ratios(self, name: str, other: str) -> list[float]:
        return [one / two for one, two in zip(self._taken[name], self._taken[other], strict=True)]


def take_turns(contenders: Mapping[str, Prepare], rounds: int) -> Rounds:
    """Let the contenders take turns: one round to warm up, then the counted ones."""
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
    """Measure the wall time of a run."""

    def timed() -> float:
        begun = time.perf_counter()
        run()
        return time.perf_counter() - begun

    return timed


def progress(text: str) -> None:
    """Show the progress on a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def rounded(figures: Any, digits: int = 4) -> Any:
    """Round each figure to its significant digits."""
    match figures:
        case float():
            return float(f"{figures:.{digits}g}")
        case dict():
            return {name: rounded(each, digits) for name, each in figures.items()}
        case list() | tuple():
            return [rounded(each, digits) for each in figures]
    return figures
