"""A move is opened of two stores: each repository in either of them, with their names and tables."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kinesis_handler.errors import ConfigurationError
from kinesis_handler.moving.opening import open_migration
from kinesis_handler.moving.phase import Phase, Side
from kinesis_handler.stores import Repository
from kinesis_handler.stores.opening import Store, open_store
from kinesis_handler.testing import LawState

OPEN: dict[str, Callable[[Store], Repository[Any]]] = {
    "": lambda store: store.repository(LawState),
    "activity": lambda store: store.repository(LawState, name="activity"),
}
TABLE = "dynamodb://{}?region=eu-north-1&endpoint=http://127.0.0.1:1"


def phase() -> Phase:
    return Phase.DUAL


def test_each_repository_is_opened_on_either_side_with_the_names_and_tables_of_the_stores() -> None:
    old, new = open_store("inmemory:"), open_store(TABLE.format("New"))
    migration = open_migration(old, new, OPEN, phase)
    assert migration.names == {
        Side.SOURCE: "inmemory:",
        Side.TARGET: "dynamodb://New?endpoint=http://127.0.0.1:1",
    }
    tables = {side: [each.name for each in tables] for side, tables in migration.tables.items()}
    assert tables == {Side.SOURCE: [], Side.TARGET: ["New", "New-activity"]}
    assert migration.phase is phase
    opened = {
        name: {side: type(each).__name__ for side, each in sides.items()}
        for name, sides in migration.repositories.items()
    }
    sides = {Side.SOURCE: "MemoryRepository", Side.TARGET: "DynamoDBRepository"}
    assert opened == {"": sides, "activity": sides}


def test_a_store_does_not_move_into_itself(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/limits.db"
    with pytest.raises(ConfigurationError, match=r"^--to is 'x': that is the source itself$"):
        open_migration(open_store(url), open_store(url, setting="--to is 'x'"), OPEN)


def test_two_memories_are_two_stores() -> None:
    migration = open_migration(open_store("inmemory:"), open_store("inmemory:"), OPEN)
    assert migration.phase is None
    one, other = migration.repositories[""].values()
    assert one is not other
