"""What the workers of one stream and one store have in common: which stream, whose leases, from where."""

import re
from os import getpid
from pathlib import PurePath
from socket import gethostname
from uuid import uuid4

from msgspec import Struct, field

from kinesis_handler.errors import ConfigurationError
from kinesis_handler.stores.url import TABLE_FORM, TABLE_NAME, Address, DynamoDB, SQLite


class Fleet(Struct, frozen=True):
    """A fleet, and one worker of it.

    Args:
        stream: the stream's name.
        region: the region of the stream and of the leases.
        leases: the table of the leases.
        since: where to begin a shard that has no lease yet: with the records that arrived then or later, in
            seconds since epoch; None: with the oldest one.
        worker: the name of this worker, which no other has.
    """

    stream: str
    region: str
    leases: str
    since: float | None = None
    worker: str = field(default_factory=lambda: f"{gethostname()}:{getpid()}:{uuid4().hex[:8]}")


def lease_table_name(name: str | None, address: Address, stream: str) -> str:
    """Return the name of the lease table: the one given, else `STORE-STREAM-leases`, beside the state.

    Raises ConfigurationError if it cannot be one, or if the store is one that each worker has for itself.
    """
    match address:
        case DynamoDB(table, _, _):
            store = table
        case SQLite(path):
            store = re.sub("[^A-Za-z0-9_.-]", "-", PurePath(path).stem)
        case _:
            raise ConfigurationError(
                "the store is 'inmemory:', which each worker would have for itself, and forget; "
                "allowed: dynamodb://TABLE, or sqlite:///FILE for workers of one machine"
            )
    table = f"{store}-{stream}-leases" if name is None else name
    if not re.fullmatch(TABLE_NAME, table):
        raise ConfigurationError(
            f"--leases is {table!r}; allowed: the name of a DynamoDB table, {TABLE_FORM}"
        )
    return table
