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
from collections.abc import Callable, Mapping, Sequence
from statistics import median, quantiles
from typing import TypeVar

from benchmarks.results import Figures

T = TypeVar("T")

Measured = Mapping[str, float]
"""What was measured in a run, by the names of the figures."""

Timed = Callable[[], Measured]
"""Does the work to be measured, and returns its figures."""

Prepare = Callable[[], Timed]
"""Makes the input of a run, before the clock runs."""


class Rounds:
    """The figures of each contender in each round."""

    def __init__(self, taken: Mapping[str, Sequence[Measured]]) -> None:
        self.taken = taken

    def medians(self, name: str) -> dict[str, float]:
        """Return the median of each figure of a contender over all rounds."""
        runs = self.taken[name]
        return {figure: median(each[figure] for each in runs) for figure in runs[0]}

    def compared(self, name: str, other: str, *figures: str) -> dict[str, float]:
        """Return how many times as much as the other a contender has of a figure, or of several together.

        That is the median of the rounds' ratios, and the two values between which half of the rounds lie.
        """
        one, two = ([sum(each[of] for of in figures) for each in self.taken[of]] for of in (name, other))
        ratios = [mine / others for mine, others in zip(one, two, strict=True)]
        low, _, high = quantiles(ratios, n=4, method="inclusive")
        return {"ratio": median(ratios), "from": low, "to": high}


def take_turns(contenders: Mapping[str, Prepare], rounds: int) -> Rounds:
    """Let the contenders take turns: one round to warm up, then the counted ones."""
    taken: dict[str, list[Measured]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(-1, rounds):
        begin = number % len(names)
        for name in names[begin:] + names[:begin]:
            timed = contenders[name]()
            gc.collect()
            gc.freeze()
            measured = timed()
            gc.unfreeze()
            if number >= 0:
                taken[name].append(measured)
        progress(f"round {number + 1} of {rounds}")
    return Rounds(taken)


def one_by_one(contenders: Mapping[str, T], measure: Callable[[T], Figures]) -> dict[str, Figures]:
    """Measure contenders one after the other, once each: for what is simulated, or takes long."""
    measured = {}
    for name, contender in contenders.items():
        progress(name)
        measured[name] = measure(contender)
    return measured


def clocked(run: Callable[[], object], events: int) -> Timed:
    """Measure a run: the µs that an event takes, and those of this process's CPU, in all its threads."""

    def timed() -> Measured:
        begun, cpu = time.perf_counter(), time.process_time()
        run()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - begun
        return {"us": wall / events * 1_000_000, "cpu_us": cpu / events * 1_000_000}

    return timed


def progress(text: str) -> None:
    """Show the progress on a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
