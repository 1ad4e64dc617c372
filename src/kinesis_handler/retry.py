"""How long to wait between attempts, and for how many: pauses that grow, within the current deadline.

Source: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

import random
import time
from collections.abc import Callable
from typing import NamedTuple

from kinesis_handler.deadline import current_deadline

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0
ATTEMPTS = 8
"""With these pauses they last 3 seconds on average and 6 at most: longer than a table takes to scale up."""

_MOST_DOUBLINGS = 64
"""Enough to come to any longest pause; without a bound, a number that no float holds."""


class Pauses(NamedTuple):
    """Pauses between attempts, in seconds: each twice as long as the one before, up to the longest."""

    first: float
    longest: float

    def after(self, failures: int) -> float:
        """Return the seconds to wait after so many failed attempts, from 1 on."""
        return min(self.longest, self.first * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))


_PAUSES = Pauses(FIRST_PAUSE, LONGEST_PAUSE)


class Backoff:
    """Decides for one piece of work whether to try once more, and waits before it.

    Args:
        sleep: waits for some seconds.
        uniform: returns a random number between two.
    """

    def __init__(
        self,
        sleep: Callable[[float], object] = time.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._sleep = sleep
        self._uniform = uniform
        self._attempts = 1

    def wait(self) -> bool:
        """Wait for a random part of a pause, longer each time; return False if no attempt or time is left."""
        pause = self._uniform(0, _PAUSES.after(self._attempts))
        if self._attempts == ATTEMPTS or pause >= current_deadline().seconds_left():
            return False
        self._attempts += 1
        self._sleep(pause)
        return True
