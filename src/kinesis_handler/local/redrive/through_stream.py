"""Puts records onto the stream again, as new records after all others."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import pybase64
from msgspec.structs import replace

from kinesis_handler.errors import StreamError, UndecodableRecordError
from kinesis_handler.ingest.documents import Documents
from kinesis_handler.ingest.kpl import MAGIC, disaggregate
from kinesis_handler.ingest.record import DEFAULT_MAX_UNPACKED_BYTES, Packing, unpack
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.redrive import Result, Verdict
from kinesis_handler.local.redrive.items import Item
from kinesis_handler.local.stream.writer import MAX_RECORDS, StreamWriter
from kinesis_handler.outcome import ReaderKey
from kinesis_handler.quarantine.entry import Entry, Position

NOT_BASE64 = "its data is not base64: what was on the stream is not known"
NO_PARTITION_KEY = "its partition key is empty: no stream takes it"
PARKED = "its key is parked: only --through handler can release it"
NOT_DIVIDED = "it cannot be unpacked, so that its documents are not known: redrive it through the handler"
HELD_BACK = "an earlier record of the same partition key was refused"


_Part = tuple[str | None, bytes | None]
"""Partition key and content of a part of a record; None for what it does not have."""


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

    A record on the stream goes to all its readers, whoever has rejected it: those that have applied it have
    to recognise it.

    A user record of a KPL record is put alone, and so is one document of several: the others succeeded. When
    a record is refused, later ones of its partition key are held back, in later batches too.

    Args:
        writer_of: returns the writer of the stream with an ARN.
    """

    name = "stream"
    batch_size = MAX_RECORDS

    def __init__(self, writer_of: Callable[[str], StreamWriter]) -> None:
        self._writer_of = writer_of
        self._refused: set[tuple[str, str]] = set()

    def release(self, who: ReaderKey, items: Sequence[Item]) -> Mapping[Position, Verdict]:
        """See `RedriveTarget.release`. A new record would be parked behind those that it stands for."""
        return {
            entry.position: Verdict(Result.HELD_BACK, PARKED, done=False)
            for each in items
            for entry in each.entries
            if who in entry.parked
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
                verdicts |= {
                    each.position: replace(verdict, parts=each.parts) if verdict.done else verdict
                    for each in put.entries
                }
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
    for documents, entries in groupby(item.entries, key=lambda entry: entry.documents):
        parts = _parts(data) if documents == "one" else _documents(item.record, documents)
        for entry in entries:
            yield _put(entry, parts, data)


def _partition_key(entry: Entry) -> str:
    return entry.sequence_number if entry.partition_key is None else entry.partition_key


def _parts(data: bytes) -> list[_Part]:
    """Return (partition key, data) of each user record of a KPL record; none for other or broken data."""
    if not data.startswith(MAGIC):
        return []
    try:
        return list(disaggregate(data, DEFAULT_MAX_UNPACKED_BYTES))
    except UndecodableRecordError:
        return []


def _documents(record: LambdaRecord, documents: Documents) -> list[_Part]:
    """Return (partition key, content) of each document; None for the content that cannot be unpacked."""
    unpacked = unpack([record], packing=Packing(documents))
    return [
        (each.partition_key, content if isinstance(content, bytes) else None) for each, content in unpacked
    ]


def _put(entry: Entry, parts: Sequence[_Part], data: bytes) -> _Put:
    """Return what is to be put for an entry: its part, or all of the data if that is not of several parts."""
    number, key = entry.sub_sequence_number or 0, _partition_key(entry)
    content: bytes | None = data
    if number < len(parts) and (len(parts) > 1 or entry.documents == "one"):
        of_part, content = parts[number]
        key = key if of_part is None else of_part
    elif len(parts) > 1 and entry.documents != "one":
        content = None
    if content is None:
        return _Put([entry], key, b"", NOT_DIVIDED)
    return _Put([entry], key, content, "" if key else NO_PARTITION_KEY)
