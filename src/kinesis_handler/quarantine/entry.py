"""Encodes rejected and parked records as entries of a quarantine. Pure.

An entry is a line of JSON; the entries of a batch form one object. Its name depends on the rejected records
and not on the time: a batch that is delivered again overwrites its own object, and not one that holds more
than it.

Each rejected user record of a KPL record has an entry, as has each rejected document of a record of several;
the first of them has the data: a few kilobytes may hold thousands of user records.
"""

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import groupby
from typing import Annotated, NamedTuple, cast

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from kinesis_handler.aggregate import Key
from kinesis_handler.ingest.documents import Documents
from kinesis_handler.ingest.record import arrival_time
from kinesis_handler.outcome import HandledRecord
from kinesis_handler.version import __version__

ENDING = ".jsonl"
"""Extension of the names of objects with entries, and of marks, but of no other objects."""

MAX_TEXT = 500
"""Most characters of a record's data that a person is shown."""

SequenceNumber = Annotated[str, Meta(pattern="^[0-9]{1,128}$")]

_RFC3339 = r"^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z$"
_LINES = msgspec.json.Encoder()
_UNSAFE = re.compile(r"[^A-Za-z0-9_.=-]|^\.+$")
"""Parts of a name that would be another folder, or that a person cannot type."""


WHOLE = -1
"""Value of a sub-sequence number that stands for the whole record."""


class Position(NamedTuple):
    """The position of a record: unique, and within a shard in stream order."""

    stream: str
    shard_id: str
    sequence_number: int
    sub_sequence_number: int


class Entry(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A record that was not applied: enough to see why, and to send it again.

    Args:
        reason: why it was not applied.
        error: name of the error's class; the condition, if an event source mapping gave it up.
        event_id: the event's, with its type and correlation id, if the envelope could be read.
        stream: ARN of the stream.
        sub_sequence_number: the index in a KPL record, or among all documents of a record, whose `data` is
            that of the whole; None if the entry stands for the whole record.
        packed: how the record holds several documents, if it does: the sub-sequence number counts them.
        partition_key: the producer's; a user record of a KPL record has its own; None if it has none.
        arrived_at: when it arrived on the stream, RFC 3339 in UTC; None if that is not known.
        handler_version: the version that rejected it.
        parked: the keys that are parked by it; empty if it was rejected or given up.
        readers: the names of the projections for which it is parked: another one has none to release.
        released: it was parked, and rejected when its key was to be released, or when it came again.
        data: the Kinesis record's data, base64, unchanged. In an object, an entry of the same record as the
            one before it omits it.
    """

    reason: str
    error: str
    event_id: str | None
    event_type: str | None
    correlation_id: str | None
    stream: str
    shard_id: str
    sequence_number: SequenceNumber
    sub_sequence_number: int | None
    partition_key: str | None
    arrived_at: Annotated[str, Meta(pattern=_RFC3339)] | None
    handler_version: str
    parked: tuple[Key, ...] = ()
    readers: tuple[str, ...] = ()
    released: bool = False
    data: str
    packed: Documents | UnsetType = UNSET

    @property
    def documents(self) -> Documents:
        """How the record holds its documents."""
        return "one" if self.packed is UNSET else self.packed

    @property
    def arrived(self) -> float | None:
        """When it arrived, in seconds since epoch; None if that is not known."""
        return datetime.fromisoformat(self.arrived_at).timestamp() if self.arrived_at else None

    @property
    def position(self) -> Position:
        """The position on the stream."""
        sub_sequence_number = self.sub_sequence_number if self.sub_sequence_number is not None else WHOLE
        return Position(self.stream, self.shard_id, int(self.sequence_number), sub_sequence_number)


_ENTRIES = msgspec.json.Decoder(Entry)


def objects(
    handled: Iterable[HandledRecord], reader: str = "", *, released: bool = False
) -> dict[str, bytes]:
    """Return objects with rejected or parked records, by name: one for each shard, a line for each record.

    Args:
        handled: the records, with their outcomes.
        reader: name of the projection that parks them.
        released: they were parked before, and have been rejected now.

    A name is `date/stream/shard/sequence number-sub-sequence number.digest.jsonl`: the numbers of the first
    record in it, and a digest of the positions of all, and of the keys and readers that are parked by them.
    """
    entries = sorted(
        (_entry(each, reader, released=released) for each in handled), key=lambda entry: entry.position
    )
    return {
        object_name(group[0], _ending(group, released=released)): _LINES.encode_lines(_without_repeats(group))
        for _, each in groupby(entries, key=lambda entry: (entry.stream, entry.shard_id))
        if (group := list(each))
    }


def _ending(entries: Sequence[Entry], *, released: bool) -> str:
    # Several projections may park or reject one record, each in an object of its own.
    records = [(*entry.position, *entry.parked, *entry.readers) for entry in entries]
    digest = blake2b(repr(records).encode(), digest_size=6).hexdigest()
    return f"-{entries[0].sub_sequence_number}.{digest}{'.released' if released else ''}{ENDING}"


def decode_entries(content: bytes) -> list[Entry]:
    """Return the entries of an object, each with the data of its record.

    Raises msgspec.DecodeError if the content is something else.
    """
    entries: list[Entry] = []
    for entry in _ENTRIES.decode_lines(content):
        repeats = entries and not entry.data and entry.position[:WHOLE] == entries[-1].position[:WHOLE]
        entries.append(replace(entry, data=entries[-1].data) if repeats else entry)
    return entries


def _without_repeats(entries: Sequence[Entry]) -> Iterator[Entry]:
    before: str | None = None
    for entry in entries:
        yield replace(entry, data="") if entry.sequence_number == before else entry
        before = entry.sequence_number


def _entry(handled: HandledRecord, reader: str, *, released: bool) -> Entry:
    record = handled.record
    return Entry(
        reason=str(handled.outcome.error),
        error=type(handled.outcome.error).__name__,
        **handled.identity._asdict(),
        stream=str(record.source.get("eventSourceARN") or ""),
        shard_id=record.shard_id,
        sequence_number=record.sequence_number,
        sub_sequence_number=record.sub_sequence_number,
        partition_key=None if record.partition_key is None else _text(record.partition_key),
        arrived_at=rfc3339(arrival_time(record.source)),
        handler_version=__version__,
        parked=handled.outcome.parked,
        readers=(reader,) if handled.outcome.parked else (),
        released=released,
        data=_text(record.source["kinesis"]["data"]),
        packed=UNSET if record.documents == "one" else record.documents,
    )


def readable(data: str) -> str:
    """Return a record's data as text on one line, or in base64 if it is not text, and not all of much."""
    try:
        text = " ".join(base64.b64decode(data, validate=True).decode().split())
    except ValueError:
        text = data
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"


def object_name(first: Entry, ending: str) -> str:
    """Return the name of an object: `date/stream/shard/sequence number` of the first entry, and an ending."""
    date = first.arrived_at.partition("T")[0] if first.arrived_at is not None else "unknown-date"
    stream = first.stream.rpartition("/")[2] or "unknown-stream"
    shard = first.shard_id or "unknown-shard"
    parts = (date, stream, shard, f"{first.sequence_number}{ending}")
    return "/".join(_UNSAFE.sub("_", part) for part in parts)


def rfc3339(seconds: float | None) -> str | None:
    """Return a time since epoch in UTC, with milliseconds; None if it is not a time."""
    try:
        text = datetime.fromtimestamp(cast("float", seconds), UTC).isoformat(timespec="milliseconds")
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return text.replace("+00:00", "Z")


def _text(value: object) -> str:
    """Return text that can be encoded and decoded again, from a value that may be anything.

    Valid text is returned itself and not as a copy: thousands of entries may share it.
    """
    text = value if isinstance(value, str) else repr(value)
    return text if text.isascii() else text.encode(errors="replace").decode()
