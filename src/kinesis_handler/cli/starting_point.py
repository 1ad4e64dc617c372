"""Where a shard is to be read from, as a person says it on the command line."""

import re
import time

from kinesis_handler.cli.times import FORMS, parse_moment
from kinesis_handler.local.stream.checkpoint import Checkpoint
from kinesis_handler.local.stream.reader import StreamReader

_SEQUENCE_NUMBER = re.compile("[0-9]{20,128}")
"""Longer than a time in digits can be."""


def starting_point(option: str, text: str, stream: StreamReader, *, numbers: bool = False) -> Checkpoint:
    """Return the checkpoint that a word, a time, a span or a sequence number stands for.

    Args:
        option: what the text was said for.
        text: `trim-horizon`, `latest` (with `_` as well, in any case), or what `parse_moment` takes.
        stream: whose `latest` is meant.
        numbers: take a sequence number too; what comes behind it is read.

    Raises ConfigurationError if it is none of these, StreamError if the stream does not say what time it is.
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
