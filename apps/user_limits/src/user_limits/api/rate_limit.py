"""Limits the requests of each client, where no gateway does."""

from collections import Counter
from collections.abc import Callable
from math import ceil

from user_limits.api.problems import ProblemError

WINDOW = 60
"""Length of a window, in seconds."""


class RateLimit:
    """Counts the requests of each client from one full minute to the next.

    Args:
        requests: how many a client may make in a minute.
        clock: seconds.
    """

    def __init__(self, requests: int, clock: Callable[[], float]) -> None:
        self._requests = requests
        self._clock = clock
        self._window = -1
        self._counts: Counter[str] = Counter()

    def check(self, client: str) -> None:
        """Count a request. Raises ProblemError if the client has exceeded its limit."""
        now = self._clock()
        window = int(now // WINDOW)
        if window != self._window:
            self._window = window
            self._counts.clear()  # the memory is bounded by the clients of a minute
        self._counts[client] += 1
        if self._counts[client] > self._requests:
            wait = ceil((window + 1) * WINDOW - now)
            raise ProblemError(
                429,
                f"a client may make {self._requests} requests a minute",
                {"retry-after": str(wait)},
            )
