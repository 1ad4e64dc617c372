"""Opens the store that a URL names.

With `quarantine.opening` the only room that names concrete classes. Only the library of what is opened is
imported, and paid for at a cold start.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from kinesis_handler.environment import is_on_lambda
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.extras import require_extra
from kinesis_handler.stores.expiry import VACANT_TTL, Expiry
from kinesis_handler.stores.url import (
    LASTING_STORE_FORMS,
    Address,
    DynamoDB,
    InMemory,
    SQLite,
    parse_url,
    url_of,
)

if TYPE_CHECKING:
    from kinesis_handler.stores import Repository, Table
    from kinesis_handler.stores.dynamodb import Connection
    from kinesis_handler.stores.upgrade import Upgrade

State = TypeVar("State")


class Store:
    """A store of states of one or more types, each in a repository of its own: `open_store` opens it."""

    def __init__(
        self,
        address: Address,
        *,
        setting: str = "",
        made_by: str = "table create",
        may_be_down: bool = False,
        default_region: str | None = None,
    ) -> None:
        self.address = address
        self.setting = setting
        self._made_by = made_by
        self._may_be_down = may_be_down
        self._default_region = default_region
        self._tables: dict[str, Table] = {}
        self._repositories: list[Repository[Any]] = []
        self._connection: Connection | None = None

    @property
    def in_memory(self) -> bool:
        """Whether it is in the memory of this process, and never waited for."""
        return isinstance(self.address, InMemory)

    @property
    def tables(self) -> "Sequence[Table]":
        """The tables of the repositories opened so far; empty in a store that needs none to be made."""
        return list(self._tables.values())

    def repository(  # noqa: PLR0913 - each has a default
        self,
        state_type: type[State],
        keys: tuple[str, str] = ("partition", "sort"),
        *,
        ttl: int = 0,
        vacant_ttl: int = VACANT_TTL,
        name: str = "",
        upgrade: "Upgrade | None" = None,
    ) -> "Repository[State]":
        """Open the repository of one type of state. In memory each call makes a new, empty one.

        Args:
            state_type: any type that msgspec can write as JSON and read again.
            keys: the names of the partition key and the sort key of a DynamoDB table.
            ttl: seconds after its last write at which a state expires; 0: never.
            vacant_ttl: seconds for which a deleted key keeps its lineage; 0: for ever.
            name: of the repository, in a store with several. In DynamoDB its table is `TABLE-name`.
            upgrade: is given the fields of a stored state that cannot be read as its type, and returns those
                that can. It is stored so with its next change. A field with a default is never missed.
                Decimals are strings in SQLite.

        Raises ConfigurationError if it cannot be opened, or says what has to be installed first; if it is
        memory, in a Lambda function; and if `upgrade` is no plain function.
        """
        repository, table = self._open(state_type, keys, name, Expiry(ttl, vacant_ttl), upgrade)
        self._repositories.append(repository)
        if table is not None:
            self._tables.setdefault(table.name, table)
        return repository

    def beside(
        self, state_type: type[State], keys: tuple[str, str], *, name: str
    ) -> "tuple[Repository[State], Table | None]":
        """Open a repository that no handler needs, such as that of the checkpoints; nothing in it expires.

        Its `find` finds all that had been saved before: a process that goes on where another one has ended
        would begin anew at a checkpoint that it does not find.

        Returns it with its table, which is none of `tables`; with None in a store that needs none to be made.

        Raises ConfigurationError as `repository` does.
        """
        return self._open(state_type, keys, name, Expiry(), finds_consistently=True)

    def check(self) -> None:
        """Raise ConfigurationError, which says what to do, if one of `tables` cannot be used."""
        for table in self.tables:
            table.check()

    def check_states(self) -> None:
        """Raise ConfigurationError if the states of a repository have another shape than their type.

        Looks at a few stored states, and raises if all of them do, and cannot be upgraded. Where they may not
        be scanned, as by a function on Lambda, nothing is known: there each one fails its own key.
        """
        for repository in self._repositories:
            if (check := getattr(repository, "check_states", None)) is not None:
                with named_by(self.setting):
                    check()

    def provision(self) -> None:
        """Make those of `tables` that do not exist. Raises ConfigurationError if one may not be made."""
        for table in self.tables:
            if not table.exists():
                table.create()

    def _open(  # noqa: PLR0913 - what a repository has, and what no handler needs
        self,
        state_type: type[State],
        keys: tuple[str, str],
        name: str,
        expiry: Expiry,
        upgrade: "Upgrade | None" = None,
        *,
        finds_consistently: bool = False,
    ) -> "tuple[Repository[State], Table | None]":
        with named_by(self.setting):
            match self.address:
                case InMemory():
                    from kinesis_handler.stores.memory import MemoryRepository
                    from kinesis_handler.stores.state_type import check_state_type, name_of
                    from kinesis_handler.stores.upgrade import check_upgrade

                    check_state_type(state_type)
                    check_upgrade(upgrade, name_of(state_type))
                    if is_on_lambda(os.environ):
                        raise ConfigurationError(
                            f"the store is {url_of(self.address)!r}, which a Lambda function forgets; "
                            f"allowed: {LASTING_STORE_FORMS}"
                        )
                    return MemoryRepository(ttl=expiry.ttl, vacant_ttl=expiry.vacant_ttl), None
                case SQLite(path):
                    from kinesis_handler.stores.sqlite import DEFAULT_TABLE, SQLiteRepository

                    return SQLiteRepository(
                        path,
                        state_type,
                        table=name or DEFAULT_TABLE,
                        ttl=expiry.ttl,
                        vacant_ttl=expiry.vacant_ttl,
                        upgrade=upgrade,
                    ), None
                case DynamoDB(table, region, endpoint):
                    with require_extra("store in DynamoDB"):
                        from kinesis_handler.stores.dynamodb import (
                            DynamoDBRepository,
                            DynamoDBTable,
                            dynamodb_connection,
                        )
                    if self._connection is None:
                        self._connection = dynamodb_connection(
                            region, endpoint, default_region=self._default_region
                        )
                    table = f"{table}-{name}" if name else table
                    partition_key, sort_key = keys
                    repository = DynamoDBRepository(
                        self._connection,
                        table,
                        state_type,
                        partition_key=partition_key,
                        sort_key=sort_key,
                        ttl=expiry.ttl,
                        vacant_ttl=expiry.vacant_ttl,
                        upgrade=upgrade,
                        finds_consistently=finds_consistently,
                    )
                    made_of = DynamoDBTable(
                        self._connection,
                        table,
                        partition_key=partition_key,
                        sort_key=sort_key,
                        made_by=self._made_by,
                        named_by=self.setting,
                        may_be_down=self._may_be_down,
                    )
                    return repository, made_of


def open_store(  # noqa: PLR0913 - as many as a URL may leave out
    url: str,
    *,
    file: str | None = None,
    table: str | None = None,
    region: str | None = None,
    default_region: str | None = None,
    setting: str = "",
    made_by: str = "table create",
    may_be_down: bool = False,
) -> Store:
    """Open the store that a URL names: memory, a SQLite file or DynamoDB.

    Args:
        url: `inmemory:`, `sqlite:///FILE` or `dynamodb://TABLE?region=REGION&endpoint=URL`. A path after
            three slashes is relative, one after four is absolute.
        file: the path that `sqlite:` alone stands for.
        table: the table that `dynamodb:` alone stands for.
        region: of the table, if the URL has none; None for the one that the AWS SDK finds.
        default_region: of the table, where that finds none.
        setting: what named the store, such as `STORE is 'sqlite:///a.db'`: each error begins with it.
        made_by: the command that makes the tables, for the error that says that one is missing.
        may_be_down: whether a table that does not answer passes `Store.check`.

    Raises ConfigurationError that quotes the URL and says what is allowed.
    """
    with named_by(setting):
        address = parse_url(url, file=file, table=table, region=region)
    return Store(
        address, setting=setting, made_by=made_by, may_be_down=may_be_down, default_region=default_region
    )


@contextmanager
def named_by(setting: str) -> Iterator[None]:
    """Begin an error with the setting that named the store."""
    try:
        yield
    except ConfigurationError as error:
        if not setting or isinstance(error.__cause__, ModuleNotFoundError):
            raise  # no other value of the setting would help
        raise ConfigurationError(f"{setting}: {error}") from error
