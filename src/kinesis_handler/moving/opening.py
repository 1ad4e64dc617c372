"""Opens a move from one store to another."""

from collections.abc import Callable
from typing import Any

from kinesis_handler.application import Migration
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.moving.phase import Phase, Side
from kinesis_handler.stores import Repository, Store
from kinesis_handler.stores.opening import named_by
from kinesis_handler.stores.url import url_of


def open_migration(
    source: Store,
    target: Store,
    open_repository: Callable[[Store], Repository[Any]],
    phase: Callable[[], Phase] | None = None,
) -> Migration:
    """Open the move from one store to another.

    Args:
        source: where the states have been stored.
        target: where they are to be stored.
        open_repository: opens what moves, in either of them.
        phase: returns the phase; None if no handler follows a switch.

    Raises ConfigurationError if either cannot be opened, or they are the same.
    """
    with named_by(target.setting):
        if source.address == target.address and not source.in_memory:
            raise ConfigurationError("that is the source itself")
    old, new = open_repository(source), open_repository(target)
    return Migration(
        sides={Side.SOURCE: old, Side.TARGET: new},
        names={Side.SOURCE: url_of(source.address), Side.TARGET: url_of(target.address)},
        tables={Side.SOURCE: source.tables, Side.TARGET: target.tables},
        phase=phase,
    )
