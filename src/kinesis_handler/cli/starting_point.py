"""Parses where reading a shard begins, as a person writes it on the command line."""

import re
import time

from kinesis_handler.cli.times import FORMS, parse_moment
from kinesis_handler.local.stream.checkpoint import Checkpoint
from kinesis_handler.local.stream.reader import StreamReader

_SEQUENCE_NUMBER = re.compile("[0-9]{20,128}")
"""Pattern of sequence numbers, which are longer than any time in digits."""


def starting_point(option: str, text: str, stream: StreamReader, *, numbers: bool = False) -> Checkpoint:
    """Return the checkpoint for a word, a time, a span or a sequence number.

    Args:
        option: the option that has the text.
        text: `trim-horizon`, `latest` (with `_` too, in any case), or the text for `parse_moment`.
        stream: the stream whose `latest` is meant.
        numbers: accept a sequence number too; reading begins after it.

    Raises ConfigurationError if it is none of these, StreamError if the stream does not return its time.
    """
    if numbers and _SEQUENCE_NUMBER.fullmatch(text):
        return Checkpoint(after=text)
    match text.lower().replace("_", "-"):
        case "trim-horizon":
            return Checkpoint()
        case "latest":
            return Checkpoint(since=stream.opened_at)
    allowed = f"trim-horizon, latest, {'a sequence number, ' if numbers else ''}{FORMS}"
    return Checkpoint(since=int(parse_moment(option, text, time.time(), allowed=allowed) * 1_000))
