"""How a consumer is told to end, from a signal or from another thread."""

from threading import Event


class Stopped(BaseException):
    """What ends a shard's thread when it has been told to stop. No error: nobody may wait for it to pass."""


class Stop:
    """Told once, from anywhere, that all is to end after the batches in hand."""

    def __init__(self) -> None:
        self._event = Event()

    def set(self) -> None:
        """End. May be called by a signal's handler."""
        self._event.set()

    def is_set(self) -> bool:
        """Tell whether all is to end."""
        return self._event.is_set()

    def pause(self, seconds: float) -> None:
        """Wait. Raises Stopped as soon as all is to end."""
        if self._event.wait(seconds):
            raise Stopped
