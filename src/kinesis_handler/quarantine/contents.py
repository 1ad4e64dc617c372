"""What a quarantine holds: read as a whole, each record once, without those that are done with.

Two kinds of objects lie in it: lines of entries, and documents of an on-failure destination. A third says
which of their records have gone through since: `done/<name of the object>/<first record>.jsonl`. Nothing is
ever changed in place, so that whoever is interrupted leaves nothing half done.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct

from kinesis_handler.errors import UnreadableObjectError
from kinesis_handler.quarantine import ReadableQuarantine, on_failure
from kinesis_handler.quarantine.entry import ENDING, Entry, Place, decode_entries, rfc3339
from kinesis_handler.quarantine.on_failure import FailedBatch

DONE = "done/"

MOVE_AWAY = "see what it is, and mend it or move it away"


class Mark(Struct, frozen=True, rename="camel"):
    """A record that is done with: where it was on the stream, how it went, and when (RFC 3339 in UTC).

    `outcome` is what became of it, as `redrive` says it; marks of older versions lack it.
    """

    stream: str
    shard_id: str
    sequence_number: str
    sub_sequence_number: int
    through: str
    at: str
    outcome: str = ""

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
        unreadable: what cannot be read or does not belong there, by its name: why, and what to do. The
            records in it are neither counted nor sent, and nothing of it is removed.
    """

    quarantine: ReadableQuarantine
    objects: dict[str, list[Entry]]
    unfetched: dict[str, FailedBatch]
    marks: dict[str, set[Place]]
    unreadable: dict[str, str]

    @property
    def done(self) -> set[Place]:
        """The places of the records that are done with."""
        return {place for places in self.marks.values() for place in places}

    def mark(self, name: str, done: Mapping[Place, str], through: str, at: float) -> None:
        """Say that records of an object are done with, and what became of each.

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
    way round records that are done with would wait again. While an object cannot be read all marks stay: one
    may be about it.

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
    if any(each.unreadable for each in contents):
        return removed
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
    """Read all of a quarantine, but for what cannot be read or does not belong there: that is named.

    Raises QuarantineError if it cannot be listed, or nothing in it can be read.
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
    """Leave out an object of which a mark cannot be read: which of its records still wait is not known."""
    for mark in [name for name in contents.unreadable if name.startswith(DONE)]:
        name = mark.removeprefix(DONE).rpartition("/")[0]
        if contents.objects.pop(name, None) is not None:
            contents.unreadable[name] = (
                f"which of its records are done with says {mark}, which cannot be read"
            )


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


def marks(name: str, done: Mapping[Place, str], through: str, at: float) -> tuple[str, bytes]:
    """Return the name and the content of the object which says that these records of an object are done with.

    Args:
        name: of the object.
        done: what became of the records, by their places.
        through: how they went.
        at: seconds since epoch.
    """
    places = sorted(done)
    when = rfc3339(at) or ""
    lines = [
        Mark(*each[:2], str(each.sequence_number), each.sub_sequence_number, through, when, done[each])
        for each in places
    ]
    number = f"{places[0].sequence_number}-{places[0].sub_sequence_number}"
    return f"{DONE}{name}/{number}.jsonl", _LINES.encode_lines(lines)
