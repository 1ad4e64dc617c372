"""Fetches the records that a document only refers to, while the stream retains them."""

from collections.abc import Callable, Iterator
from functools import cache

import msgspec

from kinesis_handler.errors import StreamError
from kinesis_handler.local.redrive.queue import FailedBatchQueue
from kinesis_handler.local.stream.client import kinesis_client
from kinesis_handler.local.stream.reader import StreamReader
from kinesis_handler.quarantine import ReadableQuarantine
from kinesis_handler.quarantine.contents import Contents
from kinesis_handler.quarantine.on_failure import BatchInfo, FailedBatch

ReaderOf = Callable[[str], StreamReader]
"""Returns the reader of the stream with an ARN."""


def stream_readers(default_region: str | None) -> ReaderOf:
    """Return a function that makes the reader of a stream, with one client for all."""
    client = cache(lambda: kinesis_client(default_region=default_region))
    return cache(lambda arn: StreamReader(client(), arn))


def fetch_records(contents: Contents, reader_of: ReaderOf) -> Iterator[str]:
    """Complete each document that lacks its records; yield the problems.

    Raises QuarantineError if a document cannot be stored.
    """
    for name, document in list(contents.unfetched.items()):
        whole, problem = _with_records(document, reader_of)
        if problem:
            yield f"{name}: {problem}"
        if whole is not None:
            contents.quarantine.keep(name, msgspec.json.encode(whole))
            contents.objects[name] = whole.entries()
            del contents.unfetched[name]


def fetch_from_queue(
    queue: FailedBatchQueue, quarantine: ReadableQuarantine, reader_of: ReaderOf
) -> Iterator[str]:
    """Move documents from a queue into a quarantine, with their records; yield the problems.

    A message is deleted when its document has been stored; it stays if none of its records can be fetched.

    Raises QuarantineError if the queue or the quarantine fails.
    """
    for message_id, receipt, document in queue.receive():
        if document is None:
            yield (
                f"the message {message_id} is no document of a Kinesis stream, and was left in the queue: "
                "see what it is, and who sends it there"
            )
            continue
        whole, problem = (document, "") if document.records else _with_records(document, reader_of)
        if problem:
            yield problem
        if whole is not None:
            quarantine.keep(*whole.object())
            queue.delete(receipt)


def _with_records(document: FailedBatch, reader_of: ReaderOf) -> tuple[FailedBatch | None, str]:
    """Return the document with its records, None if there are none; and the problem, if any."""
    info = document.info
    try:
        records = reader_of(info.stream_arn).between(
            info.shard_id, info.start_sequence_number, info.end_sequence_number
        )
    except StreamError as error:
        return None, f"{_range(info)}: {error}"
    lost = info.batch_size - len(records)
    problem = (
        f"{_range(info)}: {lost} of {info.batch_size} records are no longer on the stream" if lost else ""
    )
    return (document.with_records(records) if records else None), problem


def _range(info: BatchInfo) -> str:
    return f"{info.shard_id} from {info.start_sequence_number}"
