"""Back onto the stream: as new records, behind all that has come since."""

import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence

import pybase64

from kinesis_handler.aggregation import MAGIC, disaggregate
from kinesis_handler.errors import UndecodableRecordError
from kinesis_handler.quarantine.entry import Entry, Place
from kinesis_handler.record import DEFAULT_MAX_UNPACKED_BYTES
from kinesis_handler.redrive import Waiting
from kinesis_handler.stream.writer import MAX_RECORDS, StreamWriter

NOT_BASE64 = "its data is not base64: what was on the stream is not known"


class ThroughStream:
    """Puts records onto the stream that they came from, or another, with the partition key they had.

    A part of an aggregated record goes by itself: the other parts went through.

    Args:
        writer_of: returns what writes the stream with an ARN.
    """

    name = "stream"
    batch_size = MAX_RECORDS

    def __init__(self, writer_of: Callable[[str], StreamWriter]) -> None:
        self._writer_of = writer_of

    def send(self, waiting: Sequence[Waiting]) -> Mapping[Place, str]:
        """See `Way.send`. Raises StreamError if a stream cannot be written at all."""
        left: dict[Place, str] = {}
        of_stream: dict[str, list[tuple[Place, str, bytes]]] = {}
        for each in waiting:
            for place, put in _puts(each):
                if put is None:
                    left[place] = NOT_BASE64
                else:
                    of_stream.setdefault(place.stream, []).append((place, *put))
        for stream, puts in of_stream.items():
            refused = self._writer_of(stream).put([(key, data) for _, key, data in puts])
            left.update((puts[index][0], why) for index, why in refused.items())
        return left


def _puts(waiting: Waiting) -> Iterator[tuple[Place, tuple[str, bytes] | None]]:
    """Yield (partition key, data) of what is to be put for each entry."""
    try:
        data = pybase64.b64decode(waiting.record["kinesis"]["data"], validate=True)
    except (binascii.Error, ValueError):
        yield from ((entry.place, None) for entry in waiting.entries)
        return
    parts = _parts(data)
    for entry in waiting.entries:
        yield entry.place, _part(entry, parts) or (entry.partition_key, data)


def _parts(data: bytes) -> list[tuple[str, bytes]]:
    """Return (partition key, data) of each part of an aggregated record; nothing if it is none, or broken."""
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
