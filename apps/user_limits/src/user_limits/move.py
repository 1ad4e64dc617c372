"""A move of what is stored to another store, as the settings switch it: who writes where, and who reads what.

What a move needs is imported only if there is one.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from kinesis_handler.moving.opening import open_migration
from kinesis_handler.moving.phase import Phase, Side
from kinesis_handler.stores import ReadableRepository, Repository, Store
from user_limits.settings import Settings


class Move(NamedTuple):
    """A move to another store, and the switches that writers and readers follow."""

    target: Store
    phase: Callable[[], Phase]
    side: Callable[[], Side]


def open_repository(
    store: Store, move: Move | None, open_one: Callable[[Store], Repository[Any]]
) -> tuple[Repository[Any], ReadableRepository[Any]]:
    """Open a repository to be written, and to be shown: in a move both stores as one, and one of the two."""
    if move is None:
        opened = open_one(store)
        return opened, opened
    from kinesis_handler.moving.repository import MovingRepository, ReadSide

    [sides] = open_migration(store, move.target, {"": open_one}, move.phase).repositories.values()
    return MovingRepository(sides, move.phase), ReadSide(sides, move.side)


def phase_of(settings: Settings) -> Callable[[], Phase] | None:
    """Return the switch of a move, if there is one."""
    if not settings.migration_phase:
        return None
    from kinesis_handler.moving.switch import switch_of

    return switch_of(Phase, settings.migration_phase, settings.aws_appconfig_extension_http_port)


def read_side(settings: Settings, phase: Callable[[], Phase]) -> Callable[[], Side]:
    """Return the switch of those that only read: one of their own, or the side that decides."""
    if not settings.migration_read:
        return lambda: phase().decides
    from kinesis_handler.moving.switch import switch_of

    return switch_of(Side, settings.migration_read, settings.aws_appconfig_extension_http_port)
