"""Aggregates as items: what cannot be one is told when the repository is made."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

import pytest
from msgspec import Struct
from msgspec.structs import replace

from kinesis_handler import ConfigurationError
from kinesis_handler.errors import UnstorableError
from kinesis_handler.stores.dynamodb.attributes import to_attribute
from kinesis_handler.stores.dynamodb.item import ItemCodec
from kinesis_handler.testing import LawState
from kinesis_handler.testing.law_states import aggregate

T = TypeVar("T")


class Versioned(Struct):
    version: int


class Keyed(Struct, rename="camel"):
    user_id: str


class Row(Struct, array_like=True):
    n: int = 0


class First(Struct, tag=True):
    n: int = 0


class Second(Struct, tag=True):
    m: int = 0


class Box(Struct, Generic[T]):
    content: T


@pytest.mark.parametrize(
    ("state_type", "problem"),
    [
        (str, "str is none"),
        (dict[str, int], "dict is none"),
        (First | Second, "First | .*Second is none"),
        (Box[int], "Box is none"),
        (Row, "Row is array_like: its fields have no names"),
    ],
    ids=str,
)
def test_a_state_whose_fields_cannot_be_attributes_is_refused(state_type: Any, problem: str) -> None:
    sentence = rf"a state kept in DynamoDB is a msgspec\.Struct with named fields; .*{problem}"
    with pytest.raises(ConfigurationError, match=sentence):
        ItemCodec(state_type, "userId", "limitId")


class WithDefault(Struct, rename="camel"):
    user_id: str = "not the key"


class WithNumber(Struct, rename="camel"):
    user_id: int


class Optional(Struct, rename="camel"):
    limit_id: str | None


class Tagged(Struct, tag_field="userId"):
    n: int = 0


@pytest.mark.parametrize("state_type", [WithDefault, WithNumber, Optional, Tagged])
def test_a_field_with_the_name_of_a_key_that_may_say_something_else_is_refused(
    state_type: type[Struct],
) -> None:
    with pytest.raises(
        ConfigurationError, match=f"the field .* of {state_type.__name__} has the name of a key"
    ):
        ItemCodec(state_type, "userId", "limitId")


class Hard(Struct, tag_field="kind", tag="hard"):
    """What is not plain on the way to an item and back."""

    ratio: float
    when: datetime
    raw: bytes
    by_number: dict[int, Decimal]
    names: frozenset[str]
    nested: First | Second
    anything: Any = None


def test_a_state_of_any_types_that_msgspec_knows_comes_back_from_its_item() -> None:
    codec = ItemCodec(Hard, "userId", "limitId")
    state = Hard(
        0.1, datetime(2026, 1, 2, tzinfo=UTC), b"\0", {1: Decimal("1.10")}, frozenset("a"), Second(2)
    )
    known: Any = aggregate(("anna", "bet"))
    before = replace(known, state=state)
    attributes = {name: to_attribute(each) for name, each in codec.attributes(before).items()}
    assert codec.aggregate({**codec.key(before.key), **attributes}) == before


@pytest.mark.parametrize(
    ("state_type", "keys", "name"),
    [
        (Versioned, ("userId", "limitId"), "version"),
        (LawState, ("version", "limitId"), "version"),
        (LawState, ("userId", "expiresAt"), "expiresAt"),
        (LawState, ("userId", "userId"), "userId"),
    ],
)
def test_two_attributes_of_one_name_are_refused(
    state_type: type[Struct], keys: tuple[str, str], name: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"two attributes of one name: {name}"):
        ItemCodec(state_type, *keys)


def test_a_field_of_the_state_may_be_the_key_if_it_says_the_same() -> None:
    codec = ItemCodec(Keyed, "userId", "limitId")
    known: Any = aggregate(("anna", "bet"))

    def with_user(user: str) -> Any:
        return type(known)(
            **{name: getattr(known, name) for name in known.__struct_fields__} | {"state": Keyed(user)}
        )

    assert "userId" not in codec.attributes(with_user("anna"))
    with pytest.raises(UnstorableError, match="the field userId of the state is not what the key says"):
        codec.attributes(with_user("ben"))


def test_a_value_without_a_type_of_dynamodb_is_refused() -> None:
    with pytest.raises(TypeError, match="complex has no DynamoDB type"):
        to_attribute(1j)
