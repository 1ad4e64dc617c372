"""Aggregates as items: what cannot be one is told when the repository is made."""

from typing import Any

import pytest
from msgspec import Struct

from kinesis_handler import ConfigurationError
from kinesis_handler.repository.dynamodb.item import ItemCodec, to_attribute
from kinesis_handler.testing import LawState
from kinesis_handler.testing.laws import aggregate


class Versioned(Struct):
    version: int


class Keyed(Struct, rename="camel"):
    user_id: str


def test_a_state_that_is_no_struct_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"a state kept in DynamoDB is a msgspec\.Struct; .*'str'"):
        ItemCodec(str, "userId", "limitId")


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
    with pytest.raises(ValueError, match="the field userId of the state is not what the key says"):
        codec.attributes(with_user("ben"))


def test_a_value_without_a_type_of_dynamodb_is_refused() -> None:
    with pytest.raises(TypeError, match="complex has no DynamoDB type"):
        to_attribute(1j)
