"""Says for whom a redriven record is: the readers and keys that have not dealt with it. Pure.

The others have applied it, or settled it in another way, and may have forgotten that when their states
expired; or they have yet to apply what lies before it. They would apply it twice, or too soon.
"""

from collections.abc import Collection, Mapping

from msgspec import Struct

from kinesis_handler.aggregate import Key
from kinesis_handler.ingest.record import Record
from kinesis_handler.outcome import ReaderKey
from kinesis_handler.quarantine.entry import Position, position_of

OTHERS = -1
"""Value of a sub-sequence number that stands for all of a record that are not named."""


class Recipients(Struct, frozen=True):
    """The readers and keys that redriven records are for.

    Args:
        of: for whom a record is, None for all; where it is not there, all others of its Kinesis record.
        settled: who has dealt with a record in this redrive, although it is for all.
        released: the reader and key that is to be released, which all records are for; None if none is.
        parked: those of them that wait for it: its note counts them.
    """

    of: Mapping[Position, Collection[ReaderKey] | None] = {}
    settled: Mapping[Position, Collection[ReaderKey]] = {}
    released: ReaderKey | None = None
    parked: Collection[Position] = frozenset()

    def include(self, record: Record, reader: str) -> bool:
        """Return whether a record is for any key of a reader."""
        found = self._of(record)
        return found is None or any(each.reader == reader for each in found)

    def keys(self, record: Record, reader: str, keys: list[Key]) -> list[Key]:
        """Return those keys of a reader that a record is for.

        If it was rejected for keys that the reader does not name of it any more, it is for all of its keys:
        it was perhaps the key that was wrong.

        Args:
            record: one that is for the reader.
            reader: its name.
            keys: those that it names now.
        """
        found, position = self._of(record), position_of(record)
        if found is not None:
            named = {each.key for each in found if each.reader == reader}
            chosen = [key for key in keys if key in named]
            if None not in named and (chosen or self.released is not None):
                keys = chosen
        settled = self.settled.get(position)
        return [key for key in keys if ReaderKey(reader, key) not in settled] if settled else keys

    def counts(self, record: Record) -> bool:
        """Return whether a record is parked for the key that is to be released."""
        return position_of(record) in self.parked

    def _of(self, record: Record) -> Collection[ReaderKey] | None:
        if self.released is not None:
            return (self.released,)
        position = position_of(record)
        others = position._replace(sub_sequence_number=OTHERS)
        return self.of.get(position if position in self.of else others)


EVERYONE = Recipients()
"""What comes from the stream is for all."""
