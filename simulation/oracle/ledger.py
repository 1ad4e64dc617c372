"""The ledger of one reader: one clean pass, each event once, in its order."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

REMEMBERED_IDS = 16

Key = tuple[str, str]
Fields = dict[str, Any]


class RefusedError(Exception):
    """An event cannot be applied to what is known so far: it waits, and all behind it."""


class NeverError(Exception):
    """An event can never be applied."""


class Arrived(NamedTuple):
    """An event on the stream.

    Args:
        event: its fields.
        day: how often all that was stored had expired before it was settled.
    """

    event: Fields
    day: int = 0


class Rules(NamedTuple):
    """What one reader makes of events.

    Args:
        keys: returns the keys of an event.
        after: returns the state after an event, None if there is none any more. Raises RefusedError,
            NeverError.
        says_all: returns whether an event says all there is to know, whatever waits before it.
    """

    keys: Callable[[Fields], Collection[Key]]
    after: Callable[[Any, Fields], Any]
    says_all: Callable[[Any, Fields], bool] = lambda *_: False


class Book:
    """What is expected of one key.

    Args:
        day: of its first event.
    """

    def __init__(self, day: int) -> None:
        self.day = day
        self.version = 0
        self.state: Any = None
        self.number = -1
        self.ids: list[str] = []
        self.waits_to: int | None = None
        """The highest number of the events that wait, -1 if they have none; None if none wait."""
        self.waiting: set[str] = set()
        """The ids of the events that wait."""

    def is_new(self, event: Fields) -> bool:
        """Return whether an event has not been applied, nor a later one of its producer."""
        number = event.get("sequenceNumber")
        return event["eventId"] not in self.ids[-REMEMBERED_IDS:] if number is None else number > self.number


class Ledger:
    """One clean pass over events.

    Args:
        rules: of the reader.
        arrived: all events, those of a key in their order.
        rejects: ids of the events that can never be applied, whatever is known.
        parked: for each time that all expired, the keys that did not, since events of theirs were waiting.
    """

    def __init__(
        self,
        rules: Rules,
        arrived: Iterable[Arrived],
        rejects: Collection[str] = (),
        parked: Mapping[int, Collection[Key]] | None = None,
    ) -> None:
        self.books: dict[Key, Book] = {}
        self.rejected: set[str] = set()
        """The ids of the events that were found to be such."""
        self._rules = rules
        self._rejects = rejects
        self._parked = parked or {}
        for event, day in arrived:
            for key in dict.fromkeys(rules.keys(event)):
                self._take(key, event, day)

    def waiting(self) -> dict[Key, set[str]]:
        """Return the ids of the events that wait for ever, by the keys for which they do."""
        return {key: book.waiting for key, book in self.books.items() if book.waits_to is not None}

    def at_last(self, day: int) -> dict[Key, Book]:
        """Return what has not expired, when all has expired so many times."""
        return {key: book for key, book in self.books.items() if self._lasts(key, book, day)}

    def _take(self, key: Key, event: Fields, day: int) -> None:
        book = self.books.get(key)
        if book is None or not self._lasts(key, book, day):
            book = self.books[key] = Book(day)
        book.day = day
        number = event.get("sequenceNumber", -1)
        is_released = False
        if book.waits_to is not None:
            if 0 <= number <= max(book.number, book.waits_to):
                return
            is_released = book.is_new(event) and self._rules.says_all(book.state, event)
            if not is_released:
                self._wait(book, event, number)
                return
        elif not book.is_new(event):
            return
        if event["eventId"] in self._rejects:
            self.rejected.add(event["eventId"])
            return
        try:
            state = self._rules.after(book.state, event)
        except NeverError:
            self.rejected.add(event["eventId"])
            return
        except RefusedError:
            self._wait(book, event, number)
            return
        book.state = state
        book.version += 1
        book.number = max(book.number, number, -1 if book.waits_to is None else book.waits_to)
        book.ids.append(event["eventId"])
        book.waits_to = None
        book.waiting = set()

    @staticmethod
    def _wait(book: Book, event: Fields, number: int) -> None:
        book.waits_to = max(number, -1 if book.waits_to is None else book.waits_to)
        book.waiting.add(event["eventId"])

    def _lasts(self, key: Key, book: Book, day: int) -> bool:
        return all(key in self._parked.get(each, ()) for each in range(book.day + 1, day + 1))
