"""Opens what a URL names: a store of states, a quarantine, a move from one store to another.

The only room of the engine that names concrete classes. Only the library of what is opened is imported, and
paid for at a cold start.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from kinesis_handler.application import Kept, Migration
from kinesis_handler.environment import is_on_lambda
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.migration.ledger import Ledger
from kinesis_handler.migration.phase import Phase
from kinesis_handler.migration.records import Record, Records
from kinesis_handler.migration.repairs import Repair, Repairs
from kinesis_handler.places import (
    LASTING_STORE_FORMS,
    NO_QUARANTINE,
    QUARANTINE_FORMS,
    QUARANTINE_URL,
    DynamoDB,
    InMemory,
    SQLite,
    Store,
    url_of,
)
from kinesis_handler.quarantine import ReadableQuarantine
from kinesis_handler.repository import ReadableRepository, Repository
from kinesis_handler.stream.checkpoint import Checkpoint

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

__all__ = ["OpenStore", "library_named", "open_quarantine"]

State = TypeVar("State")

_NOTE, _PREPARE = ("partition", "sort"), "migrate prepare"


class Told(NamedTuple):
    """What is told of a store's tables, and what is not.

    Args:
        named_by: the setting that names the store, to stand before what is wrong with a table.
        made_by: the command that makes them.
        may_be_down: whether a table passes its check if it does not answer.
    """

    named_by: str = ""
    made_by: str = "table create"
    may_be_down: bool = False


PLAIN = Told()


class OpenStore:
    """A store that keeps states, each kind beside the others.

    Args:
        store: which one: `parse_store` makes it of a URL.
        told: what is told of its tables.
        default_region: of a table, where neither the store nor the AWS SDK says one.
    """

    def __init__(self, store: Store, told: Told = PLAIN, *, default_region: str | None = None) -> None:
        self.store = store
        self._told = told
        self._default_region = default_region
        self._client: DynamoDBClient | None = None

    def keep(
        self,
        state_type: type[State],
        keys: tuple[str, str],
        *,
        ttl: int = 0,
        beside: str = "",
        made_by: str = "",
    ) -> Kept[State]:
        """Open where the states of one kind are kept.

        Args:
            state_type: what they are, anything that msgspec can write as JSON and read again.
            keys: the names of the partition key and the sort key, in a store whose keys have names.
            ttl: seconds after its last write at which a state expires; 0 keeps it for ever.
            beside: what they are called, if the store keeps others too. In DynamoDB they are in a table of
                their own, `TABLE-beside`.
            made_by: the command that makes that table, if it is another one than makes the store's.

        Raises ConfigurationError if that cannot be done, or says what has to be installed first; and if it is
        memory, in a Lambda function.
        """
        match self.store:
            case InMemory():
                from kinesis_handler.repository.memory import MemoryRepository

                if is_on_lambda(os.environ):
                    raise ConfigurationError(
                        f"the store is {url_of(self.store)!r}, which a Lambda function forgets; "
                        f"allowed: {LASTING_STORE_FORMS}"
                    )
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
                    self._client = dynamodb_client(region, endpoint, default_region=self._default_region)
                name = f"{table}-{beside}" if beside else table
                partition_key, sort_key = keys
                repository = DynamoDBRepository(
                    self._client, name, state_type, partition_key=partition_key, sort_key=sort_key, ttl=ttl
                )
                made_of = DynamoDBTable(
                    self._client,
                    name,
                    partition_key=partition_key,
                    sort_key=sort_key,
                    made_by=made_by or self._told.made_by,
                    named_by=self._told.named_by,
                    may_be_down=self._told.may_be_down,
                )
                return Kept(repository, [made_of])

    def checkpoints(self) -> Kept[Checkpoint]:
        """Open where `consume` keeps how far it has read.

        It is beside the states that this led to, so that neither is lost without the other.
        """
        return self.keep(Checkpoint, ("stream", "shard"), beside="checkpoints")


def open_migration(
    source: OpenStore,
    target: OpenStore,
    keep: Callable[[OpenStore], Kept[Any]],
    phase: Callable[[], Phase] | None = None,
) -> Migration:
    """Open the move from one store to another.

    Args:
        source: where the states have been kept.
        target: where they are to be kept.
        keep: opens what moves, in either of them.
        phase: tells the phase; None if no handler follows a switch.

    Raises ConfigurationError if either cannot be opened, or they are the same.
    """
    if source.store == target.store and not isinstance(source.store, InMemory):
        raise ConfigurationError("that is the source itself")
    old, new = keep(source), keep(target)
    of_target, of_source = (
        each.keep(Repair, _NOTE, beside="repairs", made_by=_PREPARE) for each in (source, target)
    )
    records = target.keep(Record, _NOTE, beside="migration", made_by=_PREPARE)
    return Migration(
        names=(url_of(source.store), url_of(target.store)),
        source=old.repository,
        target=new.repository,
        ledger=Ledger(
            Repairs(of_target.repository), Repairs(of_source.repository), Records(records.repository)
        ),
        phase=phase,
        source_tables=old.tables,
        target_tables=new.tables,
        ledger_tables=[*of_target.tables, *of_source.tables, *records.tables],
    )


def writable(move: Migration, phase: Callable[[], Phase]) -> Repository[Any]:
    """Return both stores of a move as one, for the handler."""
    from kinesis_handler.migration.dual_write import DualWriteRepository

    return DualWriteRepository(move.source, move.target, phase, move.ledger)


def readable(move: Migration, phase: Callable[[], Phase]) -> ReadableRepository[Any]:
    """Return the store of a move that is shown, for those that only look."""
    from kinesis_handler.migration.dual_write import ReadSide

    return ReadSide(move.source, move.target, phase)


def open_quarantine(
    url: str, region: str | None = None, *, default_region: str | None = None
) -> ReadableQuarantine | None:
    """Open the quarantine of a URL; there is none if the URL is empty, or `none`.

    Args:
        url: `file:///FOLDER` or `s3://BUCKET/PREFIX`.
        region: of the bucket; None for the one that the AWS SDK finds.
        default_region: where it finds none.

    Raises ConfigurationError that quotes the URL and says what is allowed, or what has to be installed; and
    if there is no region.
    """
    if url in {"", NO_QUARANTINE}:
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
    return S3Quarantine(bucket, prefix.strip("/"), region, default_region=default_region)


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
