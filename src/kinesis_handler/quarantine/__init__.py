"""The quarantine: keeps records that cannot be applied, so that nothing is lost (G5).

It keeps objects by name. `entry` defines the objects with records that a handler rejected, `on_failure` those
with batches that an event source mapping gave up; `contents` reads both.
"""

from collections.abc import Iterator
from typing import Protocol

from kinesis_handler.quarantine.opening import open_quarantine

__all__ = ["Quarantine", "ReadableQuarantine", "open_quarantine"]


class Quarantine(Protocol):
    """Keeps objects by name."""

    def keep(self, name: str, content: bytes) -> None:
        """Store an object, whole, before this returns. It replaces one of the same name.

        Raises QuarantineError unless it is known to be stored.
        """


class ReadableQuarantine(Quarantine, Protocol):
    """Keeps objects, and returns them."""

    def names(self) -> Iterator[str]:
        """Yield the names of all objects, sorted, including those that cannot be read.

        Raises QuarantineError if they cannot be listed.
        """

    def read(self, name: str) -> bytes:
        """Return an object.

        Raises UnreadableObjectError if it cannot be read, and QuarantineError if no object can.
        """

    def delete(self, name: str) -> None:
        """Delete an object. A missing one is ignored.

        Raises QuarantineError if it cannot be deleted.
        """
