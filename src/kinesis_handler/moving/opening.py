"""Opens a move from one store to another."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from kinesis_handler.errors import ConfigurationError
from kinesis_handler.moving.phase import Phase, Side
from kinesis_handler.stores import Repository, Store, Table
from kinesis_handler.stores.opening import named_by
from kinesis_handler.stores.url import url_of


class Migration(Struct, frozen=True):
    """A move of what is stored from a store to another, as the commands see it.

    Args:
        repositories: of the aggregates that move, in either store, by their names: "" is the first one's.
        names: of the two stores, for people.
        tables: what each of them needs, if that has to be made first.
        phase: returns the phase; None if no handler follows a switch.
    """

    repositories: Mapping[str, Mapping[Side, Repository[Any]]]
    names: Mapping[Side, str]
    tables: Mapping[Side, Sequence[Table]]
    phase: Callable[[], Phase] | None = None


def open_migration(
    source: Store,
    target: Store,
    repositories: Mapping[str, Callable[[Store], Repository[Any]]],
    phase: Callable[[], Phase] | None = None,
) -> Migration:
    """Open the move of repositories from one store to another.

    Args:
        source: where the states have been stored.
        target: where they are to be stored.
        repositories: open what moves, in either of them, by the names of the repositories.
        phase: returns the phase; None if no handler follows a switch.

    Raises ConfigurationError if either cannot be opened, or they are the same.
    """
    with named_by(target.setting):
        if source.address == target.address and not source.in_memory:
            raise ConfigurationError("that is the source itself")
    stores = {Side.SOURCE: source, Side.TARGET: target}
    return Migration(
        {name: {side: open_one(stores[side]) for side in Side} for name, open_one in repositories.items()},
        names={side: url_of(store.address) for side, store in stores.items()},
        tables={side: store.tables for side, store in stores.items()},
        phase=phase,
    )
