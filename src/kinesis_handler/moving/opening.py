"""Opens a move from one store to another."""

from collections.abc import Callable
from typing import Any

from kinesis_handler.application import Migration
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.moving.ledger import Ledger
from kinesis_handler.moving.phase import Phase
from kinesis_handler.moving.records import Record, Records
from kinesis_handler.moving.repairs import Repair, Repairs
from kinesis_handler.stores import ReadableRepository, Repository, Store
from kinesis_handler.stores.opening import named_by
from kinesis_handler.stores.url import url_of

_PREPARE = "migrate prepare"


def open_migration(
    source: Store,
    target: Store,
    open_repository: Callable[[Store], Repository[Any]],
    phase: Callable[[], Phase] | None = None,
) -> Migration:
    """Open the move from one store to another.

    Args:
        source: where the states have been kept.
        target: where they are to be kept.
        open_repository: opens what moves, in either of them.
        phase: tells the phase; None if no handler follows a switch.

    Raises ConfigurationError if either cannot be opened, or they are the same.
    """
    with named_by(target.setting):
        if source.address == target.address and not source.in_memory:
            raise ConfigurationError("that is the source itself")
    old, new = open_repository(source), open_repository(target)
    of_target, of_source = (
        each.repository(Repair, name="repairs", made_by=_PREPARE) for each in (source, target)
    )
    records = target.repository(Record, name="migration", made_by=_PREPARE)
    return Migration(
        names=(url_of(source.address), url_of(target.address)),
        source=old,
        target=new,
        ledger=Ledger(Repairs(of_target), Repairs(of_source), Records(records)),
        phase=phase,
        source_tables=source.tables[:1],
        target_tables=target.tables[:1],
        ledger_tables=[*target.tables[1:], *source.tables[1:]],
    )


def writable(move: Migration, phase: Callable[[], Phase]) -> Repository[Any]:
    """Return both stores of a move as one, for the handler."""
    from kinesis_handler.moving.dual_write import DualWriteRepository

    return DualWriteRepository(move.source, move.target, phase, move.ledger)


def readable(move: Migration, phase: Callable[[], Phase]) -> ReadableRepository[Any]:
    """Return the store of a move that is shown, for those that only look."""
    from kinesis_handler.moving.dual_write import ReadSide

    return ReadSide(move.source, move.target, phase)
