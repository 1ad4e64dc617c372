"""A repository in a DynamoDB table: one read and one conditional write for each aggregate, many a request."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from msgspec import Raw

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import RepositoryError, UnreadableError, UnstorableError
from kinesis_handler.retry import Backoff
from kinesis_handler.storable import key_problem
from kinesis_handler.stores import (
    BEGINNING,
    Change,
    Loaded,
    Page,
    Repository,
    Saved,
    State,
    is_present,
    storable,
)
from kinesis_handler.stores.cursor import decode_cursor, encode_cursor
from kinesis_handler.stores.dynamodb.answer import TOO_LATE, Problem
from kinesis_handler.stores.dynamodb.attributes import Item, decode_item
from kinesis_handler.stores.dynamodb.connection import Connection
from kinesis_handler.stores.dynamodb.item import ItemCodec
from kinesis_handler.stores.dynamodb.operations import (
    BATCH_GET_ITEM,
    BATCH_WRITE_ITEM,
    QUERY,
    SCAN,
    Found,
    Read,
)
from kinesis_handler.stores.dynamodb.requests import Requests
from kinesis_handler.stores.dynamodb.saving import Failed, Saving
from kinesis_handler.stores.dynamodb.statement import Statements, check_names
from kinesis_handler.stores.expiry import VACANT_TTL, Expiry
from kinesis_handler.stores.unreadable import OnUnreadable, Unreadable, only_readable
from kinesis_handler.stores.upgrade import SAMPLE, Upgrade, require_readable

KEYS_PER_READ = 100
KEYS_PER_DELETE = 25
SEGMENTS = 4
"""Parts of the table that a scan reads at once."""

_UNPROCESSED = "DynamoDB: throttled: left unprocessed"


class DynamoDBRepository(Repository[State]):
    """Stores aggregates as items of a table: see `item` for what they look like.

    `load` reads consistently. `find` and `scan` read at half the price what was true a moment ago.

    Args:
        connection: see `dynamodb_connection`.
        table: the table's name.
        state_type: what the states are, a msgspec.Struct.
        partition_key: name of the table's partition key, a string.
        sort_key: name of its sort key, a string.
        ttl: seconds after its last write at which an aggregate expires; 0 for never.
        vacant_ttl: seconds after which a vacant one does; 0 for never.
        upgrade: turns a state of an older shape into one that can be read.
        finds_consistently: whether `find` reads consistently too, at the full price.
        clock: seconds since epoch.
        make_backoff: how long to go on trying, for each load and each save.

    Raises ConfigurationError if the state cannot be stored in such a table.
    """

    def __init__(  # noqa: PLR0913 - a table has a name and two keys
        self,
        connection: Connection,
        table: str,
        state_type: type[State],
        *,
        partition_key: str,
        sort_key: str,
        ttl: int = 0,
        vacant_ttl: int = VACANT_TTL,
        upgrade: Upgrade | None = None,
        finds_consistently: bool = False,
        clock: Callable[[], float] = time.time,
        make_backoff: Callable[[], Backoff] = Backoff,
    ) -> None:
        self._requests = Requests(connection, make_backoff)
        self._table = table
        self.state_type = state_type
        self._codec = ItemCodec(state_type, partition_key, sort_key, table, upgrade)
        check_names(table, state_type, self._codec)
        self.expiry = Expiry(ttl, vacant_ttl)
        """When its aggregates expire."""
        self._finds_consistently = finds_consistently
        self._clock = clock

    def load(self, keys: Collection[Key]) -> Loaded[State]:
        """See `Repository.load`. Raises nothing: what cannot be read is in `failed`."""
        loaded: Loaded[State] = Loaded({})
        wanted = []
        for key in dict.fromkeys(keys):
            if problem := key_problem(key):
                loaded.failed[key] = UnstorableError(problem)
            else:
                wanted.append(key)
        items, failed = self._read(wanted, self._requests.make_backoff())
        loaded.failed |= failed
        for each in self._alive(items):
            if isinstance(each, Unreadable):
                loaded.failed[each.key] = each.error
            else:
                loaded.add(each)
        return loaded

    def save(self, changes: Sequence[Change[State]]) -> Saved:
        """See `Repository.save`. Answers that were lost are settled by reading."""
        keyed, refused = storable(changes)
        now = self._clock()
        saving = Saving(self._requests, self._statements(now), self._codec, self._look_up, now)
        saved = saving.save(keyed.values())
        saved.failed |= refused.failed
        return saved

    def refusal(self, aggregate: Aggregate[State | None]) -> UnstorableError | None:
        """See `Repository.refusal`. An item that is too large is known without a request."""
        try:
            self._statements(self._clock()).check(aggregate)
        except UnstorableError as error:
            return error
        return None

    def find(self, partition: str, *, limit: int = 100, cursor: str | None = None) -> Page[State]:
        """See `Repository.find`. Raises RepositoryError if the table cannot be read."""
        after = decode_cursor(cursor)
        if key_problem((partition, after or "-")) is not None:
            return Page([], None)  # nothing can be there
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "#partition = :partition",
            "ExpressionAttributeNames": {"#partition": self._codec.partition_key},
            "ExpressionAttributeValues": {":partition": {"S": partition}},
            "ConsistentRead": self._finds_consistently,
            "Limit": limit + 1,  # one more shows if there is a next page
        }
        if after:
            query["ExclusiveStartKey"] = self._codec.key((partition, after))
        alive: list[Aggregate[State] | Unreadable] = []  # that have a state
        while len(alive) <= limit:
            found = self._requests.send_with_retries(QUERY, query)
            alive += (
                each for each in self._alive(found.items) if isinstance(each, Unreadable) or is_present(each)
            )
            if found.last_key is None:
                break
            query["ExclusiveStartKey"] = found.last_key
        page = alive[:limit]
        return Page(
            [each for each in page if not isinstance(each, Unreadable)],
            encode_cursor(page[-1].key[1]) if len(alive) > limit else None,
            {each.key: each.error for each in page if isinstance(each, Unreadable)},
        )

    def delete(self, keys: Collection[Key]) -> None:
        """See `Repository.delete`. Raises RepositoryError if it is not known to be done."""
        stored = [key for key in dict.fromkeys(keys) if key_problem(key) is None]
        deletions = [{"DeleteRequest": {"Key": self._codec.key(key)}} for key in stored]
        for start in range(0, len(deletions), KEYS_PER_DELETE):
            left: Any = {self._table: deletions[start : start + KEYS_PER_DELETE]}
            backoff = self._requests.make_backoff()
            while left:
                left = self._requests.send_with_retries(BATCH_WRITE_ITEM, {"RequestItems": left}).unprocessed
                if left and not backoff.wait():
                    raise RepositoryError(_UNPROCESSED)

    def scan_stored(
        self, after: Key | None = None, *, on_unreadable: OnUnreadable | None = None
    ) -> Iterator[Aggregate[State | None]]:
        """See `Repository.scan_stored`. Reads several segments of the table at once, or one behind the other.

        Raises RepositoryError if the table cannot be read.
        """
        return only_readable(self._scan(after), on_unreadable)

    def check_states(self) -> None:
        """Raise ConfigurationError if the first stored states are all of another shape than their type.

        Nothing is known of a table that may not be scanned, or does not answer.
        """
        answer = self._requests.send(SCAN, {"TableName": self._table, "Limit": SAMPLE})
        if not isinstance(answer, Problem):
            require_readable(self._alive(answer.items))

    def _scan(self, after: Key | None) -> Iterator[Aggregate[State | None] | Unreadable]:
        of = SEGMENTS if after is None else 1
        segments: list[dict[str, Any]] = [
            {"TableName": self._table, "Segment": index, "TotalSegments": of} for index in range(of)
        ]
        if after is not None and after != BEGINNING:
            segments[0]["ExclusiveStartKey"] = self._codec.key(after)
        while segments:
            unfinished = []
            for [segment], answer in self._requests.in_chunks(1, segments, self._scan_page):
                if answer is None:
                    raise TOO_LATE.of_reading()
                yield from self._alive(answer.items)
                if answer.last_key is not None:
                    unfinished.append({**segment, "ExclusiveStartKey": answer.last_key})
            segments = unfinished

    def _statements(self, now: float) -> Statements[State]:
        return Statements(self._table, self._codec, now=now, expiry=self.expiry)

    def _scan_page(self, segments: Sequence[dict[str, Any]]) -> Found:
        return self._requests.send_with_retries(SCAN, segments[0])

    def _look_up(self, keys: Sequence[Key], backoff: Backoff) -> tuple[dict[Key, Item], Failed]:
        """Read items as `_read` does, and return them by their keys."""
        encoded, failed = self._read(keys, backoff)
        return {self._codec.key_of(item): item for item in map(decode_item, encoded)}, failed

    def _read(self, keys: Sequence[Key], backoff: Backoff) -> tuple[list[Raw], Failed]:
        """Read items consistently, expired ones too; say which keys could not be read, and why."""
        items: list[Raw] = []
        failed: Failed = {}
        left = keys
        while left:
            again: Failed = {}
            for chunk, answer in self._requests.in_chunks(KEYS_PER_READ, left, self._read_chunk):
                if answer is None or isinstance(answer, Problem):
                    problem = answer or TOO_LATE
                    (again if problem.may_pass else failed).update(dict.fromkeys(chunk, problem.of_reading()))
                    continue
                items += answer.responses.get(self._table, [])
                if (unprocessed := answer.unprocessed.get(self._table)) is not None:
                    keys_left = map(self._codec.key_of, unprocessed.keys)
                    again |= dict.fromkeys(keys_left, RepositoryError(_UNPROCESSED))
            left = list(again)
            if left and not backoff.wait():
                failed |= again
                break
        return items, failed

    def _read_chunk(self, keys: Sequence[Key]) -> Read | Problem:
        wanted = {"Keys": [self._codec.key(key) for key in keys], "ConsistentRead": True}
        return self._requests.send(BATCH_GET_ITEM, {"RequestItems": {self._table: wanted}})

    def _alive(self, items: Iterable[Raw]) -> Iterator[Aggregate[State | None] | Unreadable]:
        """Read the items that have not expired."""
        now = self._clock()
        for item in items:
            try:
                aggregate = self._codec.read(item, now)
            except UnreadableError as error:
                yield Unreadable(self._codec.key_of(decode_item(item)), error)
            else:
                if aggregate is not None:
                    yield aggregate
