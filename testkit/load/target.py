"""Targets of `load`: the shard in memory, with a handler behind it, or a real stream."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from kinesis_handler.application import Application
from kinesis_handler.cli.delivery import Delivery
from kinesis_handler.cli.tally import Tally
from kinesis_handler.errors import RepositoryError
from kinesis_handler.local.event_source import put_on_shard
from kinesis_handler.local.stream.stop import Stop
from kinesis_handler.local.stream.writer import StreamWriter
from kinesis_handler.outcome import Status
from kinesis_handler.stores import ReadableRepository
from testkit.load.ages import Ages
from testkit.synthetic_users import SyntheticEvent

if TYPE_CHECKING:
    from kinesis_handler.aggregate import Key

BATCH_SIZE = 1_000
RETRIES = 2

SHARD = "shardId-000000000000"

WATCHED = 100
"""Maximum number of events that are looked up at a time: as many as one request to the store can read."""
BETWEEN_LOOKS = 0.2
GIVEN_UP = 60.0
"""Seconds after which an event is no longer looked up."""


class Target(Protocol):
    """Receives events, and reports what became of them."""

    ages: Ages
    """Ages from `createdAt` until the event was settled, or found in the store."""

    def take(self, events: Sequence[SyntheticEvent]) -> None:
        """Receive events that are due."""

    def finish(self) -> None:
        """Wait for events that are still on their way."""

    def failed(self) -> int:
        """Return how many events have failed so far."""

    def figures(self) -> dict[str, Any]:
        """Return further figures."""


class _StoreDown(BaseException):
    """Ends a delivery. Not an Exception: the mapping would treat it as the function's, and deliver again."""


class ShardInMemory:
    """A shard, its event source mapping and the application's handler, all in this process.

    Args:
        application: the application whose handler receives the events.
        stop: ends a delivery that waits.
        clock: seconds since epoch.
    """

    def __init__(self, application: Application, stop: Stop, clock: Callable[[], float] = time.time) -> None:
        self.ages = Ages()
        self._stop = stop
        self._clock = clock
        self._delivery = Delivery(application, batch_size=BATCH_SIZE, retries=RETRIES)
        self._mapping = self._delivery.mapping(SHARD, self._wait)
        self._arriving: deque[tuple[str, bytes]] = deque()
        # One shard for all: its sequence numbers must continue to rise.
        self._shard = put_on_shard(iter(self._arriving.popleft, None), shard_id=SHARD, clock=clock)

    @property
    def tally(self) -> Tally:
        """Outcomes of all events so far."""
        return self._delivery.tallies[SHARD]

    def take(self, events: Sequence[SyntheticEvent]) -> None:
        """Deliver events until they are settled.

        Raises RepositoryError if the store or the quarantine does not accept them: the store has retried by
        itself, and waiting longer would measure only the length of its outage. Raises Stopped if it is
        stopped meanwhile.
        """
        self._arriving.extend((each.partition_key, each.data) for each in events)
        try:
            for _ in self._mapping.run(list(islice(self._shard, len(events)))):
                self._delivery.settle(SHARD)
        except _StoreDown as down:
            raise RepositoryError(f"{down}. The load has ended") from None
        now = self._clock() * 1_000
        self.ages.add(now - each.created_at for each in events)

    def finish(self) -> None:
        """Do nothing: all received events have been settled."""

    def failed(self) -> int:
        """Return how many events were given up."""
        return self.tally.outcomes[Status.FAILED]

    def figures(self) -> dict[str, Any]:
        """Return the outcomes of the events."""
        return {"outcomes": dict(self.tally.outcomes), "remarks": dict(self.tally.remarks)}

    def _wait(self, seconds: float, why: str = "") -> None:
        """Wait for the next delivery of failed records, but not for a store."""
        if why:
            raise _StoreDown(why)
        self._stop.pause(seconds)


class RealStream:
    """A stream whose records others apply. Some of the events are looked up in the store of these readers.

    Args:
        writer: the writer of the stream.
        store: the repository in which the stream's readers store the aggregates.
        clock: seconds since epoch.
        sleep: waits for some seconds.

    Its methods raise what `sleep` raises: Stopped, if the load is stopped.
    """

    def __init__(
        self,
        writer: StreamWriter,
        store: ReadableRepository[Any],
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.ages = Ages()
        self._writer = writer
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._refused = 0
        self._put = 0
        self._unseen = 0
        self._watched: dict[Key, SyntheticEvent] = {}
        self._looked_at = 0.0

    def take(self, events: Sequence[SyntheticEvent]) -> None:
        """Put events onto the stream, and look up the first of them in the store from now on."""
        refused = self._writer.put([(each.partition_key, each.data) for each in events])
        self._refused += len(refused)
        self._put += len(events) - len(refused)
        for index, each in enumerate(events):
            if index not in refused and each.key not in self._watched and len(self._watched) < WATCHED:
                self._watched[each.key] = each
                break
        if self._clock() >= self._looked_at + BETWEEN_LOOKS:
            self._look()

    def finish(self) -> None:
        """Look up until all have been found, or given up."""
        self._look()
        while self._watched:
            self._sleep(BETWEEN_LOOKS)
            self._look()

    def failed(self) -> int:
        """Return how many events the stream refused for good."""
        return self._refused

    def figures(self) -> dict[str, Any]:
        """Return how many events the stream has, and how many of the watched ones the store has."""
        return {"put": self._put, "refused": self._refused, "seen": self.ages.count, "unseen": self._unseen}

    def _look(self) -> None:
        """Look up which of the watched events have been applied."""
        self._looked_at = self._clock()
        found = self._store.load(list(self._watched)).found if self._watched else {}
        now = self._clock()
        for key, event in list(self._watched.items()):
            aggregate = found.get(key)
            number = aggregate.sequence_number if aggregate is not None else None
            if number is not None and number >= event.sequence_number:
                self.ages.add([now * 1_000 - event.created_at])
                del self._watched[key]
            elif now - event.created_at / 1_000 > GIVEN_UP:
                self._unseen += 1
                del self._watched[key]
