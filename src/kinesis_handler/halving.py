"""Finds with few attempts which of many events lead to a state that cannot be stored. Pure.

What still fits is found by halving; behind an event that does not fit, the next part is one event, then twice
as many each time. Of a thousand events of which the last does not fit, that is ten attempts.
"""


class Halving:
    """Says up to which of some events the next attempt goes.

    Args:
        count: how many events there are.
        is_unfit: whether it is known that all of them together do not fit.
    """

    def __init__(self, count: int, *, is_unfit: bool = True) -> None:
        self._count = count
        self._unfit = count if is_unfit else 0  # up to here the next ones do not fit; 0: that is not known
        self._step = count

    def next_is_unfit(self, done: int) -> bool:
        """Return whether the event behind those that are done is known not to fit: without it they did."""
        return self._unfit == done + 1

    def end(self, done: int) -> int:
        """Return up to where to try, behind those that are done."""
        return (done + self._unfit + 1) // 2 if self._unfit else min(done + self._step, self._count)

    def fits(self) -> None:
        """Go on with a larger part."""
        self._step *= 2

    def does_not_fit(self, end: int) -> None:
        """Go on with a smaller part."""
        self._unfit = end

    def begin_again(self) -> None:
        """Forget what is known: what the events are applied to is another state."""
        self._unfit, self._step = 0, 1
