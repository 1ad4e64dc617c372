"""Opens what a URL names: a store of states, a quarantine.

The only room of the engine that names concrete classes. Only the library of what is opened is imported, and
paid for at a cold start.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from kinesis_handler.application import Kept
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.places import QUARANTINE_FORMS, QUARANTINE_URL, DynamoDB, InMemory, SQLite, Store
from kinesis_handler.quarantine import ReadableQuarantine
from kinesis_handler.stream.checkpoint import Checkpoint

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

State = TypeVar("State")


class OpenStore:
    """A store that keeps states, each kind beside the others.

    Args:
        store: which one: `parse_store` makes it of a URL.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._client: DynamoDBClient | None = None

    def keep(
        self, state_type: type[State], keys: tuple[str, str], *, ttl: int = 0, beside: str = ""
    ) -> Kept[State]:
        """Open where the states of one kind are kept.

        Args:
            state_type: what they are, anything that msgspec can write as JSON and read again.
            keys: the names of the partition key and the sort key, in a store whose keys have names.
            ttl: seconds after its last write at which a state expires; 0 keeps it for ever.
            beside: what they are called, if the store keeps others too. In DynamoDB they are in a table of
                their own, `TABLE-beside`.

        Raises ConfigurationError if that cannot be done, or says what has to be installed first.
        """
        match self._store:
            case InMemory():
                from kinesis_handler.repository.memory import MemoryRepository

                return Kept(MemoryRepository(ttl=ttl))
            case SQLite(path):
                from kinesis_handler.repository.sqlite import DEFAULT_TABLE, SQLiteRepository

                return Kept(SQLiteRepository(path, state_type, table=beside or DEFAULT_TABLE, ttl=ttl))
            case DynamoDB(table, region, endpoint):
                with library_named("store in DynamoDB"):
                    from kinesis_handler.repository.dynamodb import (
                        DynamoDBRepository,
                        DynamoDBTable,
                        dynamodb_client,
                    )
                if self._client is None:
                    self._client = dynamodb_client(region, endpoint)
                name = f"{table}-{beside}" if beside else table
                partition_key, sort_key = keys
                return Kept(
                    DynamoDBRepository(
                        self._client,
                        name,
                        state_type,
                        partition_key=partition_key,
                        sort_key=sort_key,
                        ttl=ttl,
                    ),
                    [DynamoDBTable(self._client, name, partition_key=partition_key, sort_key=sort_key)],
                )

    def checkpoints(self) -> Kept[Checkpoint]:
        """Open where `consume` keeps how far it has read.

        It is beside the states that this led to, so that neither is lost without the other.
        """
        return self.keep(Checkpoint, ("stream", "shard"), beside="checkpoints")


def open_quarantine(url: str, region: str | None = None) -> ReadableQuarantine | None:
    """Open the quarantine of a URL; there is none if the URL is empty.

    Args:
        url: `file:///FOLDER` or `s3://BUCKET/PREFIX`.
        region: of the bucket; None for the one that the AWS SDK finds.

    Raises ConfigurationError that quotes the URL and says what is allowed, or what has to be installed.
    """
    if not url:
        return None
    if not re.fullmatch(QUARANTINE_URL, url):
        raise ConfigurationError(f"the quarantine is {url!r}; allowed: {QUARANTINE_FORMS}")
    scheme, _, place = url.partition("://")
    if scheme == "file":
        from kinesis_handler.quarantine.directory import DirectoryQuarantine

        return DirectoryQuarantine(place)
    with library_named("quarantine in S3"):
        from kinesis_handler.quarantine.s3 import S3Quarantine
    bucket, _, prefix = place.partition("/")
    return S3Quarantine(bucket, prefix.strip("/"), region)


@contextmanager
def library_named(what: str, extra: str = "aws") -> Iterator[None]:
    """Say what to install for a part that was chosen."""
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        raise ConfigurationError(
            f"the {what} needs {library}: pip install 'kinesis-handler[{extra}]'"
        ) from error
