"""Divides the records of a shard as an event source mapping does: into batches, and by keys. Pure.

Source: https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html
"""

from collections.abc import Iterable, Iterator
from hashlib import md5

import pybase64

from kinesis_handler.errors import ConfigurationError, UndecodableRecordError
from kinesis_handler.ingest.kpl import MAGIC, disaggregate
from kinesis_handler.ingest.record import DEFAULT_MAX_UNPACKED_BYTES
from kinesis_handler.lambda_types import LambdaRecord

PAYLOAD_LIMIT = 6 * 1024 * 1024
"""Largest invocation of a function by Lambda, in bytes; most of it is the records' data.

Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

_MAGIC_IN_BASE64 = pybase64.b64encode(MAGIC[:3]).decode()


def batches(
    records: Iterable[LambdaRecord], batch_size: int, data_bytes: int = PAYLOAD_LIMIT
) -> Iterator[list[LambdaRecord]]:
    """Yield batches in order, each full by its number of records or by the size of their data in base64.

    A record that is larger is a batch of its own: see `exceeds_payload`.
    """
    batch: list[LambdaRecord] = []
    size = 0
    for record in records:
        data_size = len(record["kinesis"]["data"])
        if batch and (len(batch) == batch_size or size + data_size > data_bytes):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += data_size
    if batch:
        yield batch


def exceeds_payload(batch: list[LambdaRecord]) -> bool:
    """Tell whether a batch is one record that is too large for an invocation by Lambda."""
    return len(batch) == 1 and len(batch[0]["kinesis"]["data"]) > PAYLOAD_LIMIT


def lanes(records: Iterable[LambdaRecord], count: int) -> list[list[LambdaRecord]]:
    """Divide records by their partition keys, as keys are divided among shards; each lane is in order."""
    divided: list[list[LambdaRecord]] = [[] for _ in range(count)]
    for record in records:
        kinesis = record["kinesis"]
        key = kinesis.get("partitionKey") or kinesis["sequenceNumber"]  # without a key, each separately
        digest = md5(key.encode(), usedforsecurity=False).digest()
        # By the end of the hash: the keys of one shard have similar beginnings.
        divided[int.from_bytes(digest[8:]) % count].append(record)
    return [lane for lane in divided if lane]


def refuse_foreign_keys(records: Iterable[LambdaRecord], count: int) -> None:
    """Refuse KPL records if several batches are delivered at once.

    The KPL gives a KPL record a partition key of its own, and a single record the producer's. Concurrent
    batches are divided by the key of the Kinesis record: events of one producer's key would be in two of
    them, and overtake each other.

    Raises ConfigurationError at a KPL record with a user record whose partition key differs from its own.
    """
    for record in records:
        kinesis = record["kinesis"]
        if not kinesis["data"].startswith(_MAGIC_IN_BASE64):
            continue
        try:
            data = pybase64.b64decode(kinesis["data"], validate=True)
            user_records = disaggregate(data, DEFAULT_MAX_UNPACKED_BYTES) if data.startswith(MAGIC) else []
        except (ValueError, UndecodableRecordError):  # the handler will reject it
            continue
        if any(partition_key != kinesis.get("partitionKey") for partition_key, _ in user_records):
            raise ConfigurationError(
                f"parallelization_factor is {count}, and the record {kinesis['sequenceNumber']} of "
                f"{record['eventID'].partition(':')[0]} is a KPL record: its events have other partition "
                "keys than it has, so their order would be lost; allowed: 1, or no such records"
            )
