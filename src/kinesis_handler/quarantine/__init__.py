"""The quarantine: where rejected records are kept, so that they can be acknowledged and nothing is lost (G5).

An entry is a line of JSON; those of a batch go into one object. Its name is made of what was rejected and not
of when: a batch that is delivered again overwrites its own object.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from typing import Protocol

import msgspec
from msgspec import Struct

from kinesis_handler.errors import QuarantineError
from kinesis_handler.outcome import HandledRecord
from kinesis_handler.version import __version__

_LINES = msgspec.json.Encoder()
_UNSAFE = re.compile(r"[^A-Za-z0-9_.=-]|^\.+$")
"""What would be another folder, or none that a person can type."""


class Quarantine(Protocol):
    """Keeps objects by name."""

    def keep(self, name: str, content: bytes) -> None:
        """Store an object whole, in place of one of that name, before this returns.

        Raises QuarantineError if it is not known to be stored.
        """


class QuarantineReader(Protocol):
    """Reads what a quarantine keeps."""

    def names(self) -> Iterator[str]:
        """Yield the names of all objects, in their order.

        Raises QuarantineError if they cannot be listed.
        """

    def read(self, name: str) -> bytes:
        """Return an object.

        Raises QuarantineError if it cannot be read.
        """


class ReadableQuarantine(Quarantine, QuarantineReader, Protocol):
    """Keeps objects, and gives them back."""


class Entry(Struct, frozen=True, kw_only=True, rename="camel"):
    """A record that was rejected: all that is needed to see why, and to send it again.

    Args:
        reason: why it was rejected.
        error: name of the error's class.
        event_id: the event's, with its type and correlation id, if that much of it could be read.
        stream: ARN of the stream.
        sub_sequence_number: the place inside an aggregated record, whose `data` is that of the whole.
        partition_key: the producer's; for a user record of an aggregate, its own.
        arrived_at: when it came onto the stream, RFC 3339 in UTC; None if that is not known.
        handler_version: which version rejected it.
        data: the Kinesis record's data, base64, as it came.
    """

    reason: str
    error: str
    event_id: str | None
    event_type: str | None
    correlation_id: str | None
    stream: str
    shard_id: str
    sequence_number: str
    sub_sequence_number: int
    partition_key: str
    arrived_at: str | None
    handler_version: str
    data: str


_DECODER = msgspec.json.Decoder(Entry)


def objects(rejected: Iterable[HandledRecord]) -> dict[str, bytes]:
    """Return the objects that keep these records, by name: one for each shard, a line for each record.

    A name is `date/stream/shard/sequence number-sub-sequence number.jsonl`, those of the first record in it.
    """
    entries = sorted(map(_entry, rejected), key=_place)
    return {
        _name(group[0]): _LINES.encode_lines(group)
        for _, each in groupby(entries, key=lambda entry: (entry.stream, entry.shard_id))
        if (group := list(each))
    }


def entries(reader: QuarantineReader) -> list[Entry]:
    """Return every record that is kept, once, by stream, shard and place in it.

    Raises QuarantineError if something cannot be read, or is no entry.
    """
    kept: dict[tuple[str, str, int, int], Entry] = {}
    for name in reader.names():
        try:
            kept.update((_place(each), each) for each in _DECODER.decode_lines(reader.read(name)))
        except (msgspec.DecodeError, ValueError) as error:
            raise QuarantineError(f"{name} holds something else: {error}") from error
    return [kept[place] for place in sorted(kept)]


def _entry(handled: HandledRecord) -> Entry:
    record = handled.record
    return Entry(
        reason=str(handled.outcome.error),
        error=type(handled.outcome.error).__name__,
        **handled.identity._asdict(),
        stream=str(record.source.get("eventSourceARN") or ""),
        shard_id=record.shard_id,
        sequence_number=record.sequence_number,
        sub_sequence_number=record.sub_sequence_number,
        partition_key=record.partition_key,
        arrived_at=_arrival(record.source["kinesis"].get("approximateArrivalTimestamp")),
        handler_version=__version__,
        data=record.source["kinesis"]["data"],
    )


def _place(entry: Entry) -> tuple[str, str, int, int]:
    return entry.stream, entry.shard_id, int(entry.sequence_number), entry.sub_sequence_number


def _name(first: Entry) -> str:
    date = first.arrived_at.partition("T")[0] if first.arrived_at is not None else "unknown-date"
    stream = first.stream.rpartition("/")[2] or "unknown-stream"
    shard = first.shard_id or "unknown-shard"
    parts = (date, stream, shard, f"{first.sequence_number}-{first.sub_sequence_number}.jsonl")
    return "/".join(_UNSAFE.sub("_", part) for part in parts)


def _arrival(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
