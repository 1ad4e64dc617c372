"""Reads files of events into records on a shard in memory."""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
import pybase64
from msgspec import UNSET, Raw, Struct, UnsetType

from kinesis_handler.envelopes import Envelope
from kinesis_handler.errors import InvalidInvocationError, UnreadableInputError
from kinesis_handler.ingest.record import refuse_repeated_numbers
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.event_source import put_on_shard
from kinesis_handler.quarantine.on_failure import Invocation

UNKNOWN_AGGREGATE = "-"
"""Partition key of all events without an aggregate, so that they stay in order."""


class _PerhapsInvocation(Struct, rename="pascal"):
    records: Raw | UnsetType = UNSET


_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_one = msgspec.json.Decoder(Raw)
_array = msgspec.json.Decoder(list[Raw])
_invocation = msgspec.json.Decoder(Invocation)
_perhaps_invocation = msgspec.json.Decoder(_PerhapsInvocation)


@contextmanager
def open_events(path: Path) -> Iterator[BinaryIO]:
    """Open a file of events; `-` is standard input.

    Raises UnreadableInputError if the file does not exist, or may not be read.
    """
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise UnreadableInputError(f"{path}: {error.strerror}") from error
    with file:
        yield file


def read_records(file: BinaryIO, name: str, envelope: Envelope) -> Iterator[LambdaRecord]:
    """Yield the records of a file, in order.

    The envelope says what aggregate an event is of, which becomes its partition key.

    The file is a JSON array of events; or one event a line, read line by line and so of any length; or a
    single event; or a Lambda invocation, whose `Records` are yielded unchanged. The events are not validated:
    the handler does that.

    Raises UnreadableInputError if the file is not JSON, and says which event, which line, and why.
    """
    lines = ((number, line) for number, line in enumerate(file, start=1) if line.strip())
    first_number, first = next(lines, (0, b""))
    first = first.removeprefix(_BYTE_ORDER_MARK)
    if first.lstrip().startswith(b"{") and _problem(first) is None and not _is_invocation(first):
        yield from _on_shard(_each_line(chain([(first_number, first)], lines), name), envelope)
        return
    content = b"\n" * (first_number - 1) + first + file.read()
    if not content.strip():
        raise UnreadableInputError(f"{name}: there is no event in it")
    try:
        if content.lstrip().startswith(b"["):
            yield from _on_shard((bytes(raw) for raw in _array.decode(content)), envelope)
        elif _is_invocation(content):
            yield from _lambda_records(content, name)
        else:
            yield from _on_shard([content], envelope)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UnreadableInputError(f"{name}: {_where(content)}{error}") from error


def read_contents(file: BinaryIO, name: str, envelope: Envelope) -> Iterator[tuple[str, bytes]]:
    """Yield partition key and data of each record of a file, to be put onto a stream.

    A record without a partition key gets its sequence number as key: it was ordered with no other.

    Raises UnreadableInputError as `read_records` does, and at data that is not base64.
    """
    for number, record in enumerate(read_records(file, name, envelope), start=1):
        try:
            data = pybase64.b64decode(record["kinesis"]["data"], validate=True)
        except ValueError as error:
            raise UnreadableInputError(f"{name}: record {number}: its data is not base64: {error}") from error
        kinesis = record["kinesis"]
        key = kinesis.get("partitionKey")
        yield kinesis["sequenceNumber"] if key is None else key, data


def _each_line(lines: Iterable[tuple[int, bytes]], name: str) -> Iterator[bytes]:
    for event, (number, line) in enumerate(lines, start=1):
        problem = _problem(line)
        if problem is not None:
            raise UnreadableInputError(f"{name}: event {event}, line {number}: {problem}")
        yield line.strip()


def _problem(line: bytes) -> str | None:
    """Return why a line is not JSON; None if it is, or is nested too deeply: the handler will reject that."""
    try:
        _one.decode(line)
    except msgspec.DecodeError as error:
        return str(error)
    except RecursionError:
        return None
    return None


def _lambda_records(content: bytes, name: str) -> list[LambdaRecord]:
    """Return the records unchanged, after checking that the handler can report each of them."""
    try:
        _invocation.decode(content)
    except msgspec.ValidationError as error:
        raise UnreadableInputError(f"{name}: not an invocation by a Kinesis stream: {error}") from error
    records: list[LambdaRecord] = msgspec.json.decode(content)["Records"]
    try:
        refuse_repeated_numbers(records)
    except InvalidInvocationError as error:
        raise UnreadableInputError(f"{name}: {error}") from error
    return records


def _is_invocation(content: bytes) -> bool:
    return _perhaps_invocation.decode(content).records is not UNSET


def _on_shard(events: Iterable[bytes], envelope: Envelope) -> Iterator[LambdaRecord]:
    return put_on_shard((envelope.partition_key(event) or UNKNOWN_AGGREGATE, event) for event in events)


def _where(content: bytes) -> str:
    """Return the event and the line of the JSON error, as the beginning of a message; empty if unknown."""
    text = content.decode(errors="replace")
    decode = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode
    between = re.compile(r"[\s,]*")
    position, event = (text.index("[") + 1, 0) if text.lstrip().startswith("[") else (0, 0)
    try:
        while True:
            position = cast("re.Match[str]", between.match(text, position)).end()
            if text[position : position + 1] == "]":
                return ""
            event += 1
            _, position = decode(text, position)
    except json.JSONDecodeError as error:
        return f"event {event}, line {error.lineno}: "
    except (ValueError, RecursionError):
        line = text.count("\n", 0, position) + 1
        return f"event {event}, which begins on line {line}: "


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
