"""What the fields of a state may be called, and how many there may be: a statement names them all."""

from bisect import bisect_left
from itertools import pairwise
from typing import Any

import pytest
from msgspec import Struct, defstruct
from msgspec.structs import replace

from dynamodb_store.faulty_store import KEY
from kinesis_handler import Aggregate, ConfigurationError
from kinesis_handler.stores import Change, Repository, Saved
from kinesis_handler.stores.dynamodb import DynamoDBRepository
from kinesis_handler.testing.law_states import aggregate
from kinesis_handler.testing.vacant_laws import parked, vacant
from testkit.tables import PARTITION_KEY, SORT_KEY, Tables

MANY = 1_000


def wide(fields: int) -> type[Struct]:
    return defstruct("Wide", [(f"the_field_{number:04}", int, 0) for number in range(fields)])


def opened(tables: Tables, table: str, state_type: type[Struct]) -> Repository[Any]:
    return DynamoDBRepository(
        tables.connection, table, state_type, partition_key=PARTITION_KEY, sort_key=SORT_KEY
    )


def is_refused(tables: Tables, table: str, fields: int) -> bool:
    try:
        opened(tables, table, wide(fields))
    except ConfigurationError:
        return True
    return False


def assert_stored(repository: Repository[Any], *aggregates: Aggregate[Any]) -> None:
    """Save one after the other under their key, and assert that each is stored."""
    for before, after in pairwise([None, *aggregates]):
        assert after is not None
        assert repository.save([Change(before, after)]) == Saved()
        assert repository.load([KEY]).stored() == {KEY: after}


def test_a_state_of_as_many_fields_as_are_taken_is_stored_in_every_way(tables: Tables) -> None:
    table = tables.table().name
    state_type = wide(bisect_left(range(MANY), x=True, key=lambda each: is_refused(tables, table, each)) - 1)
    repository = opened(tables, table, state_type)
    made: Aggregate[Any] = replace(aggregate(KEY), state=state_type())
    assert_stored(repository, made, parked(made), made, vacant(made))


@pytest.mark.parametrize("name", ["", "a'b", "#a", ":a"])
def test_a_name_that_no_statement_can_have_is_refused_when_the_repository_is_opened(
    tables: Tables, name: str
) -> None:
    renamed = defstruct("Renamed", [("field", int, 0)], rename={"field": name})
    with pytest.raises(ConfigurationError, match="Renamed is stored with the attribute"):
        opened(tables, "Table", renamed)


@pytest.mark.parametrize("name", ["a.b", "a b", "a-b", "ü", "select", "a#b:c", "a?b", "0"])
def test_any_other_name_is_stored(tables: Tables, name: str) -> None:
    renamed = defstruct("Renamed", [("field", int, 0)], rename={"field": name})
    made: Aggregate[Any] = replace(aggregate(KEY), state=renamed(1))
    changed = replace(made, version=made.version + 1, state=renamed(2))
    assert_stored(tables.repository(renamed), made, changed)


def test_one_of_more_is_refused_when_its_repository_is_opened(tables: Tables) -> None:
    table = tables.table().name
    with pytest.raises(ConfigurationError, match="the names of the 1000 fields of Wide make a statement of"):
        opened(tables, table, wide(MANY))
