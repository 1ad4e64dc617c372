"""How long to go on trying: jittered pauses that grow, within the deadline of the invocation.

Source: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

import random
import time
from collections.abc import Callable

from kinesis_handler.deadline import current_deadline

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0
ATTEMPTS = 8
"""With these pauses they last 3 seconds on average and 6 at most: longer than a table takes to make room."""


class Backoff:
    """For one piece of work: may it be tried once more?

    Args:
        sleep: called with seconds.
        uniform: a random number between two.
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
        """Wait for a random part of a pause, longer each time; False if there is no attempt or time left."""
        pause = self._uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._attempts - 1)))
        if self._attempts == ATTEMPTS or pause >= current_deadline().seconds_left():
            return False
        self._attempts += 1
        self._sleep(pause)
        return True
