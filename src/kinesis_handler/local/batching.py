"""How an event source mapping divides the records of a shard: into batches, and by their keys. Pure.

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
"""Bytes that Lambda hands a function in one invocation, of which the records' data is most.

Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

_MAGIC_IN_BASE64 = pybase64.b64encode(MAGIC[:3]).decode()


def batches(records: Iterable[LambdaRecord], batch_size: int) -> Iterator[list[LambdaRecord]]:
    """Yield batches that are full by their number of records, or by their size; in order.

    A record that is larger than an invocation can be is a batch by itself: see `exceeds_payload`.
    """
    batch: list[LambdaRecord] = []
    size = 0
    for record in records:
        data_size = len(record["kinesis"]["data"])
        if batch and (len(batch) == batch_size or size + data_size > PAYLOAD_LIMIT):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += data_size
    if batch:
        yield batch


def exceeds_payload(batch: list[LambdaRecord]) -> bool:
    """Tell whether a batch is one record that no invocation by Lambda can carry."""
    return len(batch) == 1 and len(batch[0]["kinesis"]["data"]) > PAYLOAD_LIMIT


def lanes(records: Iterable[LambdaRecord], count: int) -> list[list[LambdaRecord]]:
    """Divide records by their partition keys, in their order, as the keys are divided among shards."""
    divided: list[list[LambdaRecord]] = [[] for _ in range(count)]
    for record in records:
        kinesis = record["kinesis"]
        key = kinesis.get("partitionKey") or kinesis["sequenceNumber"]  # without a key, each by itself
        digest = md5(key.encode(), usedforsecurity=False).digest()
        # By the end of the hash: by its beginning the keys of one shard are much the same.
        divided[int.from_bytes(digest[8:]) % count].append(record)
    return [lane for lane in divided if lane]


def refuse_foreign_keys(records: Iterable[LambdaRecord], count: int) -> None:
    """Refuse to deliver KPL records in several batches at once.

    The KPL puts all that it aggregates under a partition key of its own making, and what it sends by itself
    under the producer's. Batches delivered at once are divided by the former: events of one key would be in
    two of them, and overtake each other.

    Raises ConfigurationError at a KPL record with a user record whose partition key is another than its own.
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
