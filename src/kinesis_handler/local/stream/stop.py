"""Stops a consumer, from a signal or from another thread."""

from threading import Event


class Stopped(BaseException):
    """Ends a shard's thread after a stop. It is not an Exception, so that nothing retries it."""


class Stop(Event):
    """A switch that ends all threads after their current batches, set once, from any thread or a signal."""

    def pause(self, seconds: float) -> None:
        """Wait. Raises Stopped as soon as it is set."""
        if self.wait(seconds):
            raise Stopped
