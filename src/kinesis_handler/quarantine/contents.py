"""What a quarantine holds: read as a whole, each record once, without those that are done with.

Two kinds of objects lie in it: lines of entries, and documents of an on-failure destination. A third says
which of their records have gone through since: `done/<name of the object>/<first record>.jsonl`. Nothing is
ever changed in place, so that whoever is interrupted leaves nothing half done.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct

from kinesis_handler.errors import QuarantineError
from kinesis_handler.quarantine import ReadableQuarantine, on_failure
from kinesis_handler.quarantine.entry import ENDING, Entry, Place, decode_entries, rfc3339
from kinesis_handler.quarantine.on_failure import FailedBatch

DONE = "done/"


class Mark(Struct, frozen=True, rename="camel"):
    """A record that is done with: where it was on the stream, how it went, and when (RFC 3339 in UTC)."""

    stream: str
    shard_id: str
    sequence_number: str
    sub_sequence_number: int
    through: str
    at: str

    @property
    def place(self) -> Place:
        """Where it was on the stream."""
        return Place(self.stream, self.shard_id, int(self.sequence_number), self.sub_sequence_number)


class Contents(Struct, frozen=True):
    """What a quarantine holds.

    Args:
        quarantine: where.
        objects: of each object its entries, also those that are done with.
        unfetched: documents that do not carry their records, by the name of their object.
        marks: of each object of marks the places that it is about.
    """

    quarantine: ReadableQuarantine
    objects: dict[str, list[Entry]]
    unfetched: dict[str, FailedBatch]
    marks: dict[str, set[Place]]

    @property
    def done(self) -> set[Place]:
        """The places of the records that are done with."""
        return {place for places in self.marks.values() for place in places}

    def mark(self, name: str, done: Collection[Place], through: str, at: float) -> None:
        """Say that records of an object are done with.

        Raises QuarantineError if that is not known to be kept.
        """
        mark, content = marks(name, done, through, at)
        self.quarantine.keep(mark, content)
        self.marks[mark] = set(done)


class Waiting(NamedTuple):
    """A record that waits: its entry, and where that lies."""

    contents: Contents
    name: str
    entry: Entry


def waiting_in(contents: Sequence[Contents]) -> dict[Place, Waiting]:
    """Return what waits in several quarantines, each record once, in the order of the stream."""
    done = {place for each in contents for place in each.done}
    found = {
        entry.place: Waiting(each, name, entry)
        for each in contents
        for name, entries in each.objects.items()
        for entry in entries
        if entry.place not in done
    }
    return {place: found[place] for place in sorted(found)}


def remove_finished(contents: Sequence[Contents]) -> int:
    """Remove the objects of which every record is done with; return how many there were.

    A mark goes when no object is left that has a record which it is about, and after the objects: the other
    way round records that are done with would wait again.

    Raises QuarantineError if something cannot be removed.
    """
    done = {place for each in contents for place in each.done}
    removed = 0
    for each in contents:
        for name, entries in list(each.objects.items()):
            if all(entry.place in done for entry in entries):
                each.quarantine.delete(name)
                del each.objects[name]
                removed += 1
    left = {entry.place for each in contents for entries in each.objects.values() for entry in entries}
    for each in contents:
        for mark, places in list(each.marks.items()):
            if left.isdisjoint(places):
                each.quarantine.delete(mark)
                del each.marks[mark]
    return removed


_MARKS = msgspec.json.Decoder(Mark)
_LINES = msgspec.json.Encoder()


def read_contents(quarantine: ReadableQuarantine) -> Contents:
    """Read all of a quarantine.

    Raises QuarantineError if something cannot be read, or is none of what belongs there.
    """
    contents = Contents(quarantine, {}, {}, {})
    for name in quarantine.names():
        content = quarantine.read(name)
        try:
            _take(contents, name, content)
        except (msgspec.DecodeError, ValueError) as error:
            raise QuarantineError(f"{name} holds something else: {error}") from error
    return contents


def _take(contents: Contents, name: str, content: bytes) -> None:
    if name.startswith(DONE):
        contents.marks[name] = {mark.place for mark in _MARKS.decode_lines(content)}
    elif name.endswith(ENDING):
        contents.objects[name] = decode_entries(content)
    else:  # as Lambda names them, they have no ending
        document = on_failure.decode(content)
        entries = document.entries()
        if entries:
            contents.objects[name] = entries
        else:
            contents.unfetched[name] = document


def marks(name: str, done: Collection[Place], through: str, at: float) -> tuple[str, bytes]:
    """Return the name and the content of the object which says that these records of an object are done with.

    Args:
        name: of the object.
        done: the places of the records.
        through: how they went.
        at: seconds since epoch.
    """
    places = sorted(done)
    when = rfc3339(at) or ""
    lines = [
        Mark(each.stream, each.shard_id, str(each.sequence_number), each.sub_sequence_number, through, when)
        for each in places
    ]
    number = f"{places[0].sequence_number}-{places[0].sub_sequence_number}"
    return f"{DONE}{name}/{number}.jsonl", _LINES.encode_lines(lines)
