"""How much time an invocation leaves, for whatever has to decide below the handler if another attempt fits.

The handler knows Lambda's clock; a store deep below it waits and tries again. Between them lie processors,
which need not pass on what they have no use for: it is kept for the duration of an invocation.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


def _endless() -> float:
    return math.inf


_time_left: ContextVar[Callable[[], float]] = ContextVar("time_left", default=_endless)


def time_left() -> float:
    """Return the seconds until the handler has to be done; infinity where nothing stops it.

    Only the thread that called the handler knows: for others that it starts there is `bound_time_left`.
    """
    return _time_left.get()()


def bound_time_left() -> Callable[[], float]:
    """Return what tells any thread the time that is left in this one."""
    return _time_left.get()


@contextmanager
def within(seconds_left: Callable[[], float]) -> Iterator[None]:
    """Let `time_left` return, as long as the context lasts, what this function returns."""
    token = _time_left.set(seconds_left)
    try:
        yield
    finally:
        _time_left.reset(token)
