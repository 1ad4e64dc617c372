"""The quarantine: where records are kept that cannot be applied, so that nothing is lost (G5).

It keeps objects by name. What they hold: `entry` has the records that a handler rejected, `on_failure` the
batches that an event source mapping gave up, `contents` reads both.
"""

from collections.abc import Iterator
from typing import Protocol

from kinesis_handler.quarantine.opening import open_quarantine

__all__ = ["Quarantine", "ReadableQuarantine", "open_quarantine"]


class Quarantine(Protocol):
    """Keeps objects by name."""

    def keep(self, name: str, content: bytes) -> None:
        """Store an object whole, in place of one of that name, before this returns.

        Raises QuarantineError if it is not known to be stored.
        """


class ReadableQuarantine(Quarantine, Protocol):
    """Keeps objects, and gives them back."""

    def names(self) -> Iterator[str]:
        """Yield the names of all objects, in their order; also of what cannot be read.

        Raises QuarantineError if they cannot be listed.
        """

    def read(self, name: str) -> bytes:
        """Return an object.

        Raises UnreadableObjectError if it cannot be read, and QuarantineError if none can.
        """

    def delete(self, name: str) -> None:
        """Remove an object. A missing one does nothing.

        Raises QuarantineError if it cannot be removed.
        """
