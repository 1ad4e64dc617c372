"""Encodes rejected and parked records as entries of a quarantine. Pure.

An entry is a line of JSON; the entries of a batch form one object. Its name depends on the rejected records
and not on the time: a batch that is delivered again overwrites its own object, and not one that holds more
than it.

Each rejected user record of a KPL record has an entry, as has each rejected document of a record of several;
the first of them has the data: a few kilobytes may hold thousands of user records.
"""

import base64
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import groupby
from typing import Annotated, NamedTuple, cast

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from kinesis_handler.aggregate import Key
from kinesis_handler.ingest.documents import Documents
from kinesis_handler.ingest.record import Record, arrival_time
from kinesis_handler.outcome import HandledRecord, ReaderKey, Status
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


def position_of(record: Record) -> Position:
    """Return the position of a record, which is that of its entry, too."""
    return Position(
        _stream_of(record), record.shard_id, int(record.sequence_number), record.sub_sequence_number
    )


class Part(NamedTuple):
    """A reader and key for which a record waits: what is redriven, and dealt with, by itself."""

    who: ReaderKey
    is_parked: bool


ALL = ReaderKey("")
"""Stands for every reader and key: of a record that nobody could read, or that was given up."""

EVERYBODY = Part(ALL, is_parked=False)


def parts_of(parked: Iterable[ReaderKey], rejected: Iterable[ReaderKey]) -> frozenset[Part]:
    """Return the parts of a record that was parked and rejected by these; if it names none, it is for all."""
    parts = {Part(each, is_parked=True) for each in parked}
    parts |= {Part(each, is_parked=False) for each in rejected}
    return frozenset(parts or {EVERYBODY})


def names_of(parts: Collection[Part]) -> tuple[tuple[ReaderKey, ...], tuple[ReaderKey, ...]]:
    """Return those by whom a record is parked, and was rejected, as an entry has them: see `parts_of`."""
    if EVERYBODY in parts and len(parts) == 1:
        return (), ()
    found = sorted(parts, key=lambda part: (part.who.reader, part.who.key or ()))
    parked = tuple(part.who for part in found if part.is_parked)
    return parked, tuple(part.who for part in found if not part.is_parked)


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
        parked: the projections for which it is parked, each with the key.
        rejected: the processors that rejected it, with the key if it was a projection with its state. If
            there is neither, it waits for all: it could not be decoded, or was given up, or version 0.2 wrote
            it.
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
    parked: tuple[ReaderKey, ...] = ()
    rejected: tuple[ReaderKey, ...] = ()
    data: str
    packed: Documents | UnsetType = UNSET

    @property
    def parts(self) -> frozenset[Part]:
        """The readers and keys for which it waits."""
        return parts_of(self.parked, self.rejected)

    def only(self, parts: Collection[Part]) -> "Entry | None":
        """Return the entry for some readers and keys alone; None if these are none."""
        if not parts:
            return None
        parked, rejected = names_of(parts)
        return replace(self, parked=parked, rejected=rejected)

    @property
    def parked_keys(self) -> set[Key]:
        """The keys that are parked by it, of any projection."""
        return {who.key for who in self.parked if who.key is not None}

    @property
    def is_only_parked(self) -> bool:
        """Whether it waits for nothing but the release of its keys."""
        return bool(self.parked) and not self.rejected

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


def objects(handled: Iterable[HandledRecord], reader: str = "") -> dict[str, bytes]:
    """Return objects with rejected or parked records, by name: one for each shard, a line for each record.

    Args:
        handled: the records, with their outcomes.
        reader: name of the processor that rejected the events whose outcomes do not say it.

    A name is `date/stream/shard/sequence number-sub-sequence number.digest.jsonl`: the numbers of the first
    record in it, and a digest of the positions of all, and of the readers and keys for which they wait.
    """
    entries = sorted((_entry(each, reader) for each in handled), key=lambda entry: entry.position)
    return {
        object_name(group[0], _ending(group)): _LINES.encode_lines(_without_repeats(group))
        for _, each in groupby(entries, key=lambda entry: (entry.stream, entry.shard_id))
        if (group := list(each))
    }


def _ending(entries: Sequence[Entry]) -> str:
    # Several projections may park or reject one record, each in an object of its own.
    records = [(*entry.position, *_names(entry)) for entry in entries]
    digest = blake2b(repr(records).encode(), digest_size=6).hexdigest()
    return f"-{entries[0].sub_sequence_number}.{digest}{ENDING}"


def _names(entry: Entry) -> Iterator[tuple[str, str, Key | None]]:
    for status, names in ((Status.PARKED, entry.parked), (Status.REJECTED, entry.rejected)):
        yield from ((status.value, each.reader, each.key) for each in names)


def decode_entries(content: bytes) -> list[Entry]:
    """Return the entries of an object, each with the data of its record.

    Raises msgspec.DecodeError if the content is something else.
    """
    entries: list[Entry] = []
    for entry in _ENTRIES.decode_lines(content):
        repeats = entries and not entry.data and entry.position[:WHOLE] == entries[-1].position[:WHOLE]
        entries.append(replace(entry, data=entries[-1].data) if repeats else entry)
    return entries


def _without_repeats(entries: Sequence[Entry]) -> list[Entry]:
    """Return entries, the data of each record once. A list: msgspec never lets go of an iterator of lines."""
    before = [None, *(entry.sequence_number for entry in entries)]
    return [
        replace(entry, data="") if entry.sequence_number == number else entry
        for entry, number in zip(entries, before, strict=False)
    ]


def _entry(handled: HandledRecord, reader: str) -> Entry:
    record, outcome = handled.record, handled.outcome
    if reader and handled.event is not None:
        outcome = outcome.named(ReaderKey(reader))
    return Entry(
        reason=str(outcome.error),
        error=type(outcome.error).__name__,
        **handled.identity._asdict(),
        stream=_stream_of(record),
        shard_id=record.shard_id,
        sequence_number=record.sequence_number,
        sub_sequence_number=record.sub_sequence_number,
        partition_key=None if record.partition_key is None else _text(record.partition_key),
        arrived_at=rfc3339(arrival_time(record.source)),
        handler_version=__version__,
        parked=outcome.parked,
        rejected=outcome.rejected,
        data=_text(record.source["kinesis"]["data"]),
        packed=UNSET if record.documents == "one" else record.documents,
    )


def _stream_of(record: Record) -> str:
    return str(record.source.get("eventSourceARN") or "")


def readable(data: str) -> str:
    """Return a record's data as text on one line, or in base64 if it is not text, and not all of much."""
    try:
        text = " ".join(base64.b64decode(data, validate=True).decode().split())
    except ValueError:
        text = data
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"


def described(entry: Entry) -> str:
    """Return in words which event it was, and by whom it was rejected or for whom it is parked."""
    event = f"event {entry.event_id} of type {entry.event_type}" if entry.event_id else "no event"
    rejected = ", ".join(_in_words(each) for each in entry.rejected if each != ALL)
    parked = ", ".join(map(_in_words, entry.parked))
    event += f", rejected by {rejected}" if rejected else ""
    return event + (f", parked for {parked}" if parked else "")


def _in_words(who: ReaderKey) -> str:
    return who.reader if who.key is None else f"{who.reader} ({' '.join(who.key)})"


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
