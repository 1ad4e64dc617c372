"""Stops a consumer, from a signal or from another thread."""

from threading import Event


class Stopped(BaseException):
    """Ends a shard's thread after a stop. It is not an Exception, so that nothing retries it."""


class Stop:
    """A switch that ends all threads after their current batches, set once, from any thread."""

    def __init__(self) -> None:
        self._event = Event()

    def set(self) -> None:
        """Stop all threads. A signal's handler may call it."""
        self._event.set()

    def is_set(self) -> bool:
        """Tell whether all threads are to stop."""
        return self._event.is_set()

    def pause(self, seconds: float) -> None:
        """Wait. Raises Stopped as soon as it is set."""
        if self._event.wait(seconds):
            raise Stopped
