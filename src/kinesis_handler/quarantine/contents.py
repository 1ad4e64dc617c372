"""What a quarantine holds: read as a whole, each record once, without those that are done with.

Two kinds of objects lie in it: lines of entries, and documents of an on-failure destination. A third says
which of their records have gone through since: `done/<name of the object>/<first record>.jsonl`. Nothing is
ever changed in place, so that whoever is interrupted leaves nothing half done.
"""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from kinesis_handler.errors import QuarantineError
from kinesis_handler.quarantine import ReadableQuarantine, on_failure
from kinesis_handler.quarantine.entry import Entry, Place, decode_entries, rfc3339
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
        done: the places of these.
        marks: names of the objects that say so, by the name of the object that they are about.
        unfetched: documents that do not carry their records, by the name of their object.
    """

    quarantine: ReadableQuarantine
    objects: dict[str, list[Entry]]
    done: set[Place]
    marks: dict[str, list[str]]
    unfetched: dict[str, FailedBatch]

    def open(self) -> dict[Place, tuple[str, Entry]]:
        """Return the entries that are not done with, each once, with the name of its object."""
        return {
            entry.place: (name, entry)
            for name, entries in self.objects.items()
            for entry in entries
            if entry.place not in self.done
        }

    def finished(self) -> list[str]:
        """Return the names of the objects of which every entry is done with."""
        return [
            name
            for name, entries in self.objects.items()
            if all(entry.place in self.done for entry in entries)
        ]

    def remove(self, name: str) -> None:
        """Remove an object, then what says that it is done with: the other way round it would come back.

        Raises QuarantineError if that fails.
        """
        for each in (name, *self.marks.get(name, ())):
            self.quarantine.delete(each)


_MARKS = msgspec.json.Decoder(Mark)
_LINES = msgspec.json.Encoder()


def read_contents(quarantine: ReadableQuarantine) -> Contents:
    """Read all of a quarantine.

    Raises QuarantineError if something cannot be read, or is none of what belongs there.
    """
    contents = Contents(quarantine, {}, set(), {}, {})
    for name in quarantine.names():
        content = quarantine.read(name)
        try:
            _take(contents, name, content)
        except (msgspec.DecodeError, ValueError) as error:
            raise QuarantineError(f"{name} holds something else: {error}") from error
    return contents


def _take(contents: Contents, name: str, content: bytes) -> None:
    if name.startswith(DONE):
        contents.done.update(mark.place for mark in _MARKS.decode_lines(content))
        contents.marks.setdefault(name.removeprefix(DONE).rpartition("/")[0], []).append(name)
    elif b'"KinesisBatchInfo"' in content:
        document = on_failure.decode(content)
        if document.payload is None:
            contents.unfetched[name] = document
        else:
            contents.objects[name] = document.entries()
    else:
        contents.objects[name] = decode_entries(content)


def marks(name: str, done: Iterable[Place], through: str, at: float) -> tuple[str, bytes]:
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
