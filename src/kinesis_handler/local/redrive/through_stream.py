"""Puts records onto the stream again, as new records after all others."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import pybase64

from kinesis_handler.errors import StreamError, UndecodableRecordError
from kinesis_handler.ingest.kpl import MAGIC, disaggregate
from kinesis_handler.ingest.record import DEFAULT_MAX_UNPACKED_BYTES
from kinesis_handler.local.redrive import Result, Verdict
from kinesis_handler.local.redrive.items import Item
from kinesis_handler.local.stream.writer import MAX_RECORDS, StreamWriter
from kinesis_handler.quarantine.entry import Entry, Position

NOT_BASE64 = "its data is not base64: what was on the stream is not known"
NO_PARTITION_KEY = "its partition key is empty: no stream takes it"
PARKED = "its key is parked: only --through handler can release it"
HELD_BACK = "an earlier record of the same partition key was refused"


class _Put(NamedTuple):
    """The record to put for some entries, or why it cannot be put."""

    entries: Sequence[Entry]
    partition_key: str
    data: bytes
    problem: str = ""


class ThroughStream:
    """Puts records onto their own stream, or another, with their original partition keys.

    A record without a partition key gets its sequence number as key: it was ordered with no other, and a
    stream that distributes records itself ignores the key.

    A user record of a KPL record is put alone: the others succeeded. When a record is refused, later ones of
    its partition key are held back, in later batches too.

    Args:
        writer_of: returns the writer of the stream with an ARN.
    """

    name = "stream"
    batch_size = MAX_RECORDS

    def __init__(self, writer_of: Callable[[str], StreamWriter]) -> None:
        self._writer_of = writer_of
        self._refused: set[tuple[str, str]] = set()

    def release(self, items: Sequence[Item]) -> Mapping[Position, Verdict]:
        """See `RedriveTarget.release`. A new record would be parked behind those that it stands for."""
        return {
            entry.position: Verdict(Result.HELD_BACK, PARKED, done=False)
            for each in items
            for entry in each.entries
        }

    def send(self, items: Sequence[Item]) -> Mapping[Position, Verdict]:
        """See `RedriveTarget.send`."""
        verdicts: dict[Position, Verdict] = {}
        of_stream: dict[str, list[_Put]] = {}
        for item in items:
            for put in _puts(item):
                stream = put.entries[0].stream
                verdict = Verdict(Result.PUT)
                if (stream, put.partition_key) in self._refused:
                    verdict = Verdict(Result.HELD_BACK, HELD_BACK, done=False)
                elif put.problem:
                    verdict = Verdict(Result.REFUSED, put.problem, done=False)
                else:
                    of_stream.setdefault(stream, []).append(put)
                verdicts |= dict.fromkeys((entry.position for entry in put.entries), verdict)
        for stream, puts in of_stream.items():
            for put, why in self._refusals(stream, puts):
                self._refused.add((stream, put.partition_key))
                refused = Verdict(Result.REFUSED, why, done=False)
                verdicts |= dict.fromkeys((entry.position for entry in put.entries), refused)
        return verdicts

    def _refusals(self, stream: str, puts: Sequence[_Put]) -> list[tuple[_Put, str]]:
        """Put the records of one stream; return those that were refused, and why."""
        try:
            refused = self._writer_of(stream).put([(put.partition_key, put.data) for put in puts])
        except StreamError as error:  # other streams go on: their records must be marked
            return [(put, str(error)) for put in puts]
        return [(puts[index], why) for index, why in refused.items()]


def _puts(item: Item) -> Iterator[_Put]:
    """Yield the records to put for the entries. If the whole record waits, it covers its user records."""
    try:
        data = pybase64.b64decode(item.record["kinesis"]["data"], validate=True)
    except ValueError:
        yield _Put(item.entries, _partition_key(item.entries[0]), b"", NOT_BASE64)
        return
    whole = next((entry for entry in item.entries if entry.sub_sequence_number is None), None)
    if whole is not None:
        yield _Put(item.entries, _partition_key(whole), data)
        return
    parts = _parts(data)
    for entry in item.entries:
        partition_key, content = _part(entry, parts) or (_partition_key(entry), data)
        yield _Put([entry], partition_key, content, "" if partition_key else NO_PARTITION_KEY)


def _partition_key(entry: Entry) -> str:
    return entry.sequence_number if entry.partition_key is None else entry.partition_key


def _parts(data: bytes) -> list[tuple[str, bytes]]:
    """Return (partition key, data) of each user record of a KPL record; none for other or broken data."""
    if not data.startswith(MAGIC):
        return []
    try:
        return disaggregate(data, DEFAULT_MAX_UNPACKED_BYTES)
    except UndecodableRecordError:
        return []


def _part(entry: Entry, parts: Sequence[tuple[str, bytes]]) -> tuple[str, bytes] | None:
    if entry.sub_sequence_number is None or entry.sub_sequence_number >= len(parts):
        return None
    return parts[entry.sub_sequence_number]
