"""Remembers the objects of a quarantine, to show them again and again without reading each one every time."""

import time
from collections.abc import Callable, Iterator

from kinesis_handler.quarantine import ReadableQuarantine

REMEMBERED = 60.0
"""Seconds for which an object is not read again: one that is delivered again replaces its own."""


class RememberedQuarantine:
    """A quarantine whose objects are read once a minute, and listed each time. Only to look at.

    Args:
        quarantine: the quarantine.
        clock: seconds, from any starting point.
    """

    def __init__(self, quarantine: ReadableQuarantine, clock: Callable[[], float] = time.monotonic) -> None:
        self._quarantine = quarantine
        self._clock = clock
        self._objects: dict[str, tuple[float, bytes]] = {}

    def names(self) -> Iterator[str]:
        """See `ReadableQuarantine.names`. What is not there any more is forgotten."""
        names = list(self._quarantine.names())
        for name in self._objects.keys() - names:
            del self._objects[name]
        yield from names

    def read(self, name: str) -> bytes:
        """See `ReadableQuarantine.read`."""
        at, content = self._objects.get(name, (-REMEMBERED, b""))
        if self._clock() - at >= REMEMBERED:
            content = self._quarantine.read(name)
            self._objects[name] = self._clock(), content
        return content

    def forget(self) -> None:
        """Forget all objects: something has been done with them."""
        self._objects.clear()

    def keep(self, name: str, content: bytes) -> None:
        """See `Quarantine.keep`."""
        self._quarantine.keep(name, content)

    def delete(self, name: str) -> None:
        """See `ReadableQuarantine.delete`."""
        self._quarantine.delete(name)
