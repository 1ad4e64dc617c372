"""A projection for tests in which each event counts: an account lists its movements, in their order."""

from collections.abc import Iterator
from random import Random
from typing import Any

from msgspec import Struct
from msgspec.json import encode

from kinesis_handler import DELETED, Deleted, Event, Key, KinesisHandler, Projection
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.event_source import put_on_shard
from kinesis_handler.stores import ReadableRepository, Repository


class Moved(Struct, frozen=True):
    """Money came in, or went out."""

    account: str
    number: int


class Closed(Struct, frozen=True):
    """The account is no more."""

    account: str


class Account(Struct, frozen=True):
    """What an account has seen since it was opened."""

    movements: tuple[int, ...] = ()


class Accounts(Projection[Account, Moved | Closed]):
    """The accounts of a bank."""

    event_types = {"MOVED": Moved, "CLOSED": Closed}

    def key(self, event: Event[Moved | Closed]) -> Key:
        return ("bank", event.payload.account)

    def apply(self, state: Account | None, event: Event[Moved | Closed]) -> Account | Deleted:
        if isinstance(event.payload, Closed):
            return DELETED
        return Account((*(state.movements if state else ()), event.payload.number))


def accounts_of(repository: Repository[Any]) -> dict[Key, tuple[int, Account | None]]:
    """Return the version and the state of each key, deleted ones too."""
    return {each.key: (each.version, each.state) for each in repository.scan_stored()}


def visible(repository: ReadableRepository[Account]) -> dict[str, tuple[int, ...]]:
    """Return the movements of each account that a reader sees."""
    return {each.key[1]: each.state.movements for each in repository.scan()}


def movements(random: Random, count: int, *, numbered: bool) -> Iterator[dict[str, Any]]:
    """Make up events of three accounts, of which one in six closes its account."""
    for number in range(1, count + 1):
        account = random.choice("abc")
        closes = random.random() < 1 / 6
        event = {
            "eventId": f"e{number}",
            "type": "CLOSED" if closes else "MOVED",
            "createdAt": 1_700_000_000_000 + number,
            "payload": {"account": account} if closes else {"account": account, "number": number},
        }
        yield {**event, "sequenceNumber": number} if numbered else event


def records_of(events: list[dict[str, Any]]) -> list[LambdaRecord]:
    """Put events on a shard, all of one partition key."""
    return list(put_on_shard(("bank", encode(each)) for each in events))


def deliver(
    handler: KinesisHandler, records: list[LambdaRecord], size: int, rewind: Random | None = None
) -> None:
    """Deliver records as Lambda does: what comes from the lowest failure on comes again.

    Args:
        handler: what takes them.
        records: of one shard.
        size: how many come at once.
        rewind: draws when to begin again from any earlier record; None for never.
    """
    start = 0
    for _ in range(50 * len(records)):
        batch = records[start : start + size]
        failed = handler({"Records": batch})["batchItemFailures"]
        numbers = [each["kinesis"]["sequenceNumber"] for each in batch]
        start += min((numbers.index(each["itemIdentifier"]) for each in failed), default=len(batch))
        if start >= len(records):
            return
        if rewind is not None and rewind.random() < 0.2:
            start = rewind.randrange(start + 1)
    raise AssertionError("the same records fail for ever")


def expected(events: list[dict[str, Any]]) -> dict[Key, tuple[int, Account | None]]:
    """Return what one clean pass leads to, by a fold of its own."""
    found: dict[Key, tuple[int, Account | None]] = {}
    for event in events:
        payload = event["payload"]
        key = ("bank", payload["account"])
        version, state = found.get(key, (0, None))
        moved = (*(state.movements if state else ()), payload.get("number", 0))
        found[key] = (version + 1, None if event["type"] == "CLOSED" else Account(moved))
    return found
