"""The records that a redrive sends, built from the entries of a quarantine. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from msgspec import Struct

from kinesis_handler.ingest.record import unpack
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.event_source import lambda_record
from kinesis_handler.outcome import ReaderKey
from kinesis_handler.quarantine.entry import ALL, WHOLE, Entry


class Item(Struct, frozen=True):
    """A record of the stream to be sent, and the entries that stand for it or for its user records."""

    record: LambdaRecord
    entries: tuple[Entry, ...]

    @property
    def partition_keys(self) -> set[str]:
        """The partition keys of its user records; none if the stream does not order it."""
        keys = {user_record.partition_key for user_record, _ in unpack([self.record])}
        return {key for key in keys if key is not None}


def items_of(entries: Iterable[Entry]) -> list[Item]:
    """Return the records of entries, which are in stream order."""
    return [_item(tuple(group)) for _, group in groupby(entries, key=lambda entry: entry.position[:WHOLE])]


def parked_groups(items: Sequence[Item]) -> Iterator[tuple[ReaderKey, list[Item]]]:
    """Yield for each reader and parked key all records that may have to be applied with it, in stream order.

    These are its parked ones, and all others of their partition keys: what was given up of its key lies
    between them.
    """
    by_key: dict[ReaderKey, set[int]] = defaultdict(set)
    by_partition_key: dict[str, set[int]] = defaultdict(set)
    partition_keys = [item.partition_keys for item in items]
    for index, item in enumerate(items):
        for who in dict.fromkeys(who for entry in item.entries for who in entry.parked):
            by_key[who].add(index)
        for partition_key in partition_keys[index]:
            by_partition_key[partition_key].add(index)
    for who, parked in by_key.items():
        names = {name for index in parked for name in partition_keys[index]}
        together = parked.union(*(by_partition_key[name] for name in names))
        yield who, [items[index] for index in sorted(together) if _may_be_for(items[index], who)]


def _may_be_for(item: Item, who: ReaderKey) -> bool:
    """Return whether a record waits for a reader and key, or may: nobody could read it."""
    anyhow = {ALL, ReaderKey(who.reader), who}
    return any(part.who in anyhow for entry in item.entries for part in entry.parts)


def _item(entries: tuple[Entry, ...]) -> Item:
    """Build the record of these entries."""
    first = entries[0]
    record = lambda_record(
        first.stream, first.shard_id, first.sequence_number, first.partition_key, first.data, first.arrived
    )
    return Item(record, entries)
