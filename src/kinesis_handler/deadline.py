"""The time by which work has to be done, for every layer that decides whether another attempt fits.

The handler knows Lambda's clock; a store several calls below it waits and tries again. The processors between
them need not pass the deadline on: `within` sets it for the duration of an invocation.
"""

import math
from collections.abc import Callable
from contextvars import ContextVar


def _endless() -> float:
    return math.inf


class Deadline:
    """A point in time, seen from now. It can be handed to other threads.

    Args:
        seconds_left: returns the seconds until then; none or fewer once it has passed.
    """

    __slots__ = ("seconds_left",)

    def __init__(self, seconds_left: Callable[[], float] = _endless) -> None:
        self.seconds_left = seconds_left

    def has_passed(self) -> bool:
        """Return whether there is no time left."""
        return self.seconds_left() <= 0

    def or_sooner(self, seconds: float, clock: Callable[[], float]) -> "Deadline":
        """Return the earlier of this deadline and one so many seconds from now.

        Args:
            seconds: from now.
            clock: seconds, of any origin.
        """
        end = clock() + seconds
        return Deadline(lambda: min(self.seconds_left(), end - clock()))

    def for_a_first_attempt(self) -> "Deadline":
        """Return the deadline of work that begins now: if this one has passed already, there is none.

        A first attempt is completed however late it is: a batch that makes none makes no progress.
        """
        return ENDLESS if self.has_passed() else self


ENDLESS = Deadline()
"""Infinitely many seconds away."""

_current: ContextVar[Deadline] = ContextVar("deadline", default=ENDLESS)


def current_deadline() -> Deadline:
    """Return the deadline that `within` has set in this context; `ENDLESS` if it has set none.

    A thread that does not run in the context of the one that started it has to be handed the deadline.
    """
    return _current.get()


class within:  # noqa: N801 - a context manager, and without a generator half as dear for each batch
    """Make a deadline the current one for as long as the context lasts."""

    __slots__ = ("_deadline", "_token")

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def __enter__(self) -> None:
        self._token = _current.set(self._deadline)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
