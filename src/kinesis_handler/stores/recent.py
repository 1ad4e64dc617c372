"""What a process has written last, as documents in its memory: bounded in bytes, the oldest go first."""

from collections.abc import Iterable
from threading import Lock
from typing import NamedTuple

from kinesis_handler.aggregate import Key

ENTRY_BYTES = 400
"""What an entry takes beside its key and its document: objects of Python, and its part of a dict."""


class _Entry(NamedTuple):
    document: bytes
    expires_at: float


class RecentDocuments:
    """The documents that were put here last, of several repositories. Any thread may call it.

    Args:
        max_bytes: what all of them may take, with their keys.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lock = Lock()
        self._entries: dict[tuple[int, Key], _Entry] = {}  # in the order in which they were put

    @property
    def used_bytes(self) -> int:
        """What all documents take."""
        return self._bytes

    def __len__(self) -> int:
        """Return how many documents there are."""
        return len(self._entries)

    def put(self, repository: int, documents: Iterable[tuple[Key, bytes, float]]) -> None:
        """Put documents in place of those with their keys, and drop the oldest if there are too many.

        Args:
            repository: its number.
            documents: of each its key, its content, and when it expires, in seconds since epoch.
        """
        with self._lock:
            for key, document, expires_at in documents:
                self._remove(repository, key)
                self._entries[repository, key] = _Entry(document, expires_at)
                self._bytes += _size(key, document)
            while self._bytes > self._max_bytes:
                self._remove(*next(iter(self._entries)))

    def take(self, repository: int, keys: Iterable[Key], now: float) -> dict[Key, bytes]:
        """Remove the documents of these keys, and return those that have not expired.

        Args:
            repository: its number.
            keys: whose documents.
            now: seconds since epoch.
        """
        with self._lock:
            taken = ((key, self._remove(repository, key)) for key in keys)
            return {key: each.document for key, each in taken if each is not None and each.expires_at > now}

    def clear(self) -> None:
        """Remove all documents."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0

    def _remove(self, repository: int, key: Key) -> _Entry | None:
        entry = self._entries.pop((repository, key), None)
        if entry is not None:
            self._bytes -= _size(key, entry.document)
        return entry


def _size(key: Key, document: bytes) -> int:
    # A text that is not ASCII takes up to four bytes for each character.
    return ENTRY_BYTES + len(document) + sum(len(each) if each.isascii() else 4 * len(each) for each in key)
