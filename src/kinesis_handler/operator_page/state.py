"""Reads all that the page shows from the stores that the application names, whichever process wrote there."""

import time
from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import TYPE_CHECKING

from msgspec import Struct

from kinesis_handler.aggregate import Key
from kinesis_handler.application import Application
from kinesis_handler.errors import KinesisHandlerError
from kinesis_handler.local.minutes import Minutes
from kinesis_handler.local.redrive.notes import ParkedKey, parked_keys
from kinesis_handler.local.redrive.rounds import parked_for
from kinesis_handler.local.stream.checkpoint_repository import known_checkpoints_in
from kinesis_handler.operator_page.documents import (
    Job,
    ShownRecord,
    Source,
    State,
    Stream,
    is_in_group,
    parked_document,
    record_document,
    shown,
    waiting_document,
)
from kinesis_handler.operator_page.streams import read_streams
from kinesis_handler.quarantine import ReadableQuarantine
from kinesis_handler.quarantine.contents import Contents, read_quarantines, waiting_in
from kinesis_handler.quarantine.entry import Entry
from kinesis_handler.quarantine.groups import Group, done_sentence, grouped, unfetched_in

if TYPE_CHECKING:
    from kinesis_handler.local.stream.checkpoint import Checkpoint
    from kinesis_handler.stores import Repository

FRESH = 1.0
"""Seconds for which what was read is not read again, however many look."""

MAX_GROUPS, MAX_KEYS, MAX_RECORDS, MAX_UNREADABLE = 100, 300, 20, 20


class _Read(Struct):
    at: float
    sources: Sequence[Source] = ()
    streams: Sequence[Stream] = ()
    contents: Sequence[Contents] = ()
    entries: Sequence[Entry] = ()
    groups: Sequence[Group] = ()
    parked: Sequence[ParkedKey] = ()
    problems: dict[str, str] = {}


class Watched:
    """What can be seen of an application.

    Args:
        application: names the stores.
        minutes: the outcomes of this process; None if it processes nothing.
        clock: seconds since epoch.
    """

    def __init__(
        self, application: Application, minutes: Minutes | None, clock: Callable[[], float] = time.time
    ) -> None:
        self._application = application
        self._minutes = minutes
        self._clock = clock
        self._quarantines = [RememberedQuarantine(each) for each in application.quarantines]
        self._checkpoints: Repository[Checkpoint] | None = None
        self._last: _Read | None = None
        self._lock = Lock()

    def state(self, operator: str, jobs: Sequence[Job]) -> State:
        """Return what the page shows to an operator, with what was done here."""
        read = self._read()
        unreadable = [each for some in read.contents for each in sorted(some.unreadable.items())]
        more = len(unreadable) - MAX_UNREADABLE
        remarks = [f"{each}: redrive fetches them" for each in unfetched_in(read.contents)]
        if done := done_sentence(read.contents):
            remarks.append(done)
        return State(
            at=int(read.at * 1_000),
            operator=operator,
            sources=read.sources,
            streams=read.streams,
            parked=[parked_document(each) for each in read.parked[:MAX_KEYS]],
            parked_count=len(read.parked),
            waiting=[waiting_document(each) for each in read.groups[:MAX_GROUPS]],
            waiting_count=len(read.groups),
            records=sum(each.records for each in read.groups),
            remarks=remarks,
            unreadable=[shown(f"{name}: {why}") for name, why in unreadable[:MAX_UNREADABLE]]
            + ([f"… and {more:,} more were not read"] if more > 0 else []),
            problems=read.problems,
            jobs=jobs,
        )

    def records(self, group: str) -> list[ShownRecord]:
        """Return the latest records with one reason, the latest first."""
        found = [each for each in self._read().entries if is_in_group(each, group)]
        found.sort(key=lambda entry: entry.arrived_at or "", reverse=True)
        return [record_document(each) for each in found[:MAX_RECORDS]]

    def events(self, key: Key) -> list[ShownRecord]:
        """Return the first events that wait for a key, in their order."""
        return [record_document(each) for each in parked_for(self._read().contents, key)[:MAX_RECORDS]]

    def forget(self) -> None:
        """Read all of it the next time: something has been done."""
        with self._lock:
            self._last = None
            for each in self._quarantines:
                each.forget()

    def _read(self) -> _Read:
        with self._lock:
            if self._last is None or not 0 <= self._clock() - self._last.at < FRESH:
                self._last = self._read_again(self._clock())
            return self._last

    def _read_again(self, now: float) -> _Read:
        read = _Read(now)
        try:
            read.streams, read.sources = self._streams(now)
        except KinesisHandlerError as error:
            read.problems["streams"] = shown(str(error))
        try:
            read.contents = read_quarantines(self._quarantines)
        except KinesisHandlerError as error:
            read.problems["quarantine"] = shown(str(error))
        else:
            try:
                read.parked = parked_keys(
                    self._application.handler.repositories,
                    read.contents,
                    lambda _, error: read.problems.setdefault("parked", shown(str(error))),
                )
            except KinesisHandlerError as error:
                read.problems["parked"] = shown(str(error))
        read.entries = [each.entry for each in waiting_in(read.contents).values()]
        keys = {(each.partition, each.sort) for each in read.parked}
        read.groups = grouped(
            each for each in read.entries if not each.is_only_parked or keys.isdisjoint(each.parked_keys)
        )
        if self._minutes is not None:
            own = self._minutes.report(now)
            reported = Source("this process", "", int(now * 1_000), own.begin, own.outcomes, own.ages)
            read.sources = [reported, *read.sources]
        return read

    def _streams(self, now: float) -> tuple[Sequence[Stream], Sequence[Source]]:
        if self._checkpoints is None and self._application.store is not None:
            self._checkpoints = known_checkpoints_in(self._application.store)
        return ([], []) if self._checkpoints is None else read_streams(self._checkpoints, int(now * 1_000))


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
