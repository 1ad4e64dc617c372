"""Reads a whole quarantine: each record once, without those that have been dealt with.

A quarantine holds three kinds of objects: lines of entries, documents of an on-failure destination, and
marks. Marks name the records of an object that have been dealt with since, and for whom, under
`done/<name of the object>/<first record>.jsonl`. No object is ever changed in place, so an interruption
leaves nothing half done.
"""

from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec
from msgspec import Struct

from kinesis_handler.errors import ConfigurationError, UnreadableObjectError
from kinesis_handler.outcome import ReaderKey
from kinesis_handler.quarantine import ReadableQuarantine, on_failure
from kinesis_handler.quarantine.entry import (
    ENDING,
    EVERYBODY,
    Entry,
    Part,
    Position,
    SequenceNumber,
    decode_entries,
    names_of,
    parts_of,
    rfc3339,
)
from kinesis_handler.quarantine.on_failure import FailedBatch

DONE = "done/"

MOVE_AWAY = "see what it is, and repair it or move it away"


class Mark(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A record that has been dealt with: its position, how it was sent, and when (RFC 3339 in UTC).

    `outcome` is what `redrive` reports of it; marks of older versions lack it. `parked` and `rejected` are
    the readers and keys for which it has been dealt with: a mark without any is about an entry without any.
    """

    stream: str
    shard_id: str
    sequence_number: SequenceNumber
    sub_sequence_number: int
    through: str
    at: str
    outcome: str = ""
    parked: tuple[ReaderKey, ...] = ()
    rejected: tuple[ReaderKey, ...] = ()

    @property
    def parts(self) -> frozenset[Part]:
        """The readers and keys for which it has been dealt with."""
        return parts_of(self.parked, self.rejected)

    @property
    def position(self) -> Position:
        """The position on the stream."""
        return Position(self.stream, self.shard_id, int(self.sequence_number), self.sub_sequence_number)


class Done(NamedTuple):
    """The outcome of a record that has been dealt with, and for whom it has been."""

    outcome: str
    parts: frozenset[Part] = frozenset({EVERYBODY})


class Contents(Struct, frozen=True):
    """The contents of a quarantine.

    Args:
        quarantine: the quarantine itself.
        objects: the entries of each object, including those that have been dealt with.
        unfetched: documents that do not carry their records, by the name of their object.
        marks: the marks in each object of marks.
        unreadable: why an object cannot be read or does not belong there, and what to do, by its name. The
            records in it are neither counted nor sent, and it is not deleted.
    """

    quarantine: ReadableQuarantine
    objects: dict[str, list[Entry]]
    unfetched: dict[str, FailedBatch]
    marks: dict[str, list[Mark]]
    unreadable: dict[str, str]

    def mark(self, name: str, done: Mapping[Position, Done], through: str, at: float) -> None:
        """Mark records of an object as dealt with, each with its outcome, and for whom.

        Raises QuarantineError unless the mark is known to be stored.
        """
        mark, content = marks(name, done, through, at)
        self.quarantine.keep(mark, content)
        self.marks[mark] = _MARKS.decode_lines(content)


class Waiting(NamedTuple):
    """A record that waits: its entry, and the contents and object that hold it."""

    contents: Contents
    name: str
    entry: Entry


def done_in(contents: Sequence[Contents]) -> set[Position]:
    """Return the positions of the records that have been dealt with, in several quarantines."""
    return _done_parts(contents).keys() - waiting_in(contents).keys()


def waiting_in(contents: Sequence[Contents]) -> dict[Position, Waiting]:
    """Return the records that wait in several quarantines, each once, in the order of the stream.

    Its entry names those for whom it still waits.
    """
    done = _done_parts(contents)
    found: dict[Position, Waiting] = {}
    for each in contents:
        for name, entries in each.objects.items():
            for entry in entries:
                position = entry.position
                if left := _left_of(entry, done.get(position)):
                    known = found.get(position)
                    found[position] = Waiting(each, name, _merged(left, known and known.entry))
    return {position: found[position] for position in sorted(found)}


def mark_all(
    waiting: Mapping[Position, Waiting], done: Mapping[Position, Done], through: str, at: float
) -> None:
    """Mark waiting records as dealt with; see `Contents.mark`."""
    by_object: dict[tuple[int, str], dict[Position, Done]] = {}
    for position, settled in done.items():
        each = waiting[position]
        by_object.setdefault((id(each.contents), each.name), {})[position] = settled
    for (_, name), marked in by_object.items():
        waiting[next(iter(marked))].contents.mark(name, marked, through, at)


def _done_parts(contents: Sequence[Contents]) -> dict[Position, set[Part]]:
    """Return for whom the records that are marked have been dealt with, in several quarantines."""
    found: dict[Position, set[Part]] = {}
    for each in contents:
        for marked in each.marks.values():
            for mark in marked:
                found.setdefault(mark.position, set()).update(mark.parts)
    return found


def _left_of(entry: Entry, done: Collection[Part] | None) -> Entry | None:
    """Return an entry with those for whom it still waits; None if it has been dealt with."""
    return entry if done is None else entry.only(entry.parts.difference(done))


def _merged(entry: Entry, known: Entry | None) -> Entry:
    """Return an entry with what another one of its record says, for each reader has its own.

    It says why it was rejected, if it was: what is parked, `parked` shows.
    """
    if known is None:
        return entry
    first, last = sorted((known, entry), key=lambda each: not each.is_only_parked)
    return last.only(first.parts | last.parts) or last


def remove_finished(contents: Sequence[Contents]) -> int:
    """Delete the objects whose records have all been dealt with; return their number.

    A mark is deleted after the objects, when no object has a record that it names: in the opposite order,
    records that have been dealt with would wait again. While an object cannot be read all marks stay: one may
    name its records.

    Raises QuarantineError if an object cannot be deleted.
    """
    done = _done_parts(contents)
    removed = 0
    for each in contents:
        for name, entries in list(each.objects.items()):
            if not any(_left_of(entry, done.get(entry.position)) for entry in entries):
                each.quarantine.delete(name)
                del each.objects[name]
                removed += 1
    if any(each.unreadable for each in contents):
        return removed
    left = {entry.position for each in contents for entries in each.objects.values() for entry in entries}
    for each in contents:
        for name, marked in list(each.marks.items()):
            if left.isdisjoint(mark.position for mark in marked):
                each.quarantine.delete(name)
                del each.marks[name]
    return removed


def read_quarantines(quarantines: Sequence[ReadableQuarantine]) -> list[Contents]:
    """Read several quarantines.

    Raises ConfigurationError if there is none, and QuarantineError if one cannot be read.
    """
    if not quarantines:
        raise ConfigurationError("there is no quarantine: the settings name none")
    return [read_contents(each) for each in quarantines]


_MARKS = msgspec.json.Decoder(Mark)
_LINES = msgspec.json.Encoder()


def read_contents(quarantine: ReadableQuarantine) -> Contents:
    """Read a whole quarantine; name the objects that cannot be read or do not belong there.

    Raises QuarantineError if it cannot be listed, or no object can be read.
    """
    contents = Contents(quarantine, {}, {}, {}, {})
    for name in quarantine.names():
        try:
            _take(contents, name, quarantine.read(name))
        except UnreadableObjectError as error:
            contents.unreadable[name] = str(error)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            contents.unreadable[name] = f"it holds something else, or is damaged ({error}): {MOVE_AWAY}"
    _hold_back_unmarked(contents)
    return contents


def _hold_back_unmarked(contents: Contents) -> None:
    """Leave out an object if one of its marks cannot be read: which records still wait is not known."""
    for mark in [name for name in contents.unreadable if name.startswith(DONE)]:
        name = mark.removeprefix(DONE).rpartition("/")[0]
        if contents.objects.pop(name, None) is not None:
            contents.unreadable[name] = (
                f"which of its records are done with says {mark}, which cannot be read"
            )


def _take(contents: Contents, name: str, content: bytes) -> None:
    if name.startswith(DONE):
        contents.marks[name] = _MARKS.decode_lines(content)
    elif name.endswith(ENDING):
        contents.objects[name] = decode_entries(content)
    else:  # Lambda's names for them have no extension
        document = on_failure.decode(content)
        entries = document.entries()
        if entries:
            contents.objects[name] = entries
        else:
            contents.unfetched[name] = document


def marks(name: str, done: Mapping[Position, Done], through: str, at: float) -> tuple[str, bytes]:
    """Return the name and the content of the object that marks records of another object as dealt with.

    Args:
        name: the name of the other object.
        done: the outcomes of the records, and for whom, by their positions.
        through: how they were sent.
        at: seconds since epoch.
    """
    positions = sorted(done)
    when = rfc3339(at) or ""
    lines = [
        Mark(
            *each[:2],
            str(each.sequence_number),
            each.sub_sequence_number,
            through,
            when,
            done[each].outcome,
            *names_of(done[each].parts),
        )
        for each in positions
    ]
    ending = f"-{positions[0].sub_sequence_number}"
    if any(each.parked or each.rejected for each in lines):  # a record may be marked again, for others
        whom = [(*each.position, each.parked, each.rejected) for each in lines]
        ending += f".{blake2b(repr(whom).encode(), digest_size=6).hexdigest()}"
    return f"{DONE}{name}/{positions[0].sequence_number}{ending}.jsonl", _LINES.encode_lines(lines)
