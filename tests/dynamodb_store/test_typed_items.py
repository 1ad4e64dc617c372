"""Both ways from an item to its aggregate lead to the same: by typed objects, and by dicts."""

from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Raw, Struct, field
from msgspec.structs import replace

from kinesis_handler.aggregate import Aggregate, Parked
from kinesis_handler.errors import UnreadableError
from kinesis_handler.stores.dynamodb.attributes import Item, to_attribute
from kinesis_handler.stores.dynamodb.item import ItemCodec
from kinesis_handler.stores.dynamodb.typed_items import TypedItems
from kinesis_handler.testing.hard_values import NUMBERS
from kinesis_handler.testing.law_states import aggregate

NOW = 1_700_000_000.0


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(Enum):
    LOW = 1


class Inner(Struct, frozen=True):
    amount: Decimal
    note: str | None = None


class Positive(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A state with each kind of field, and a check of its own."""

    user_id: str
    amount: Decimal
    count: Annotated[int, Meta(ge=0)]
    kind: Literal["BET", "LOSS"]
    colour: Colour | None
    level: Level
    is_open: bool
    ratio: float
    either: int | str
    inner: Inner | None
    amounts: list[Decimal]
    by_name: dict[str, Decimal]
    later: Decimal | None = None
    came_later: str = "its default"
    made: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.amount < 0:
            raise ValueError("the amount is negative")


STATE = Positive(
    user_id="anna",
    amount=Decimal("35100.00"),
    count=7,
    kind="BET",
    colour=Colour.BLUE,
    level=Level.LOW,
    is_open=True,
    ratio=0.5,
    either=3,
    inner=Inner(Decimal("1.10")),
    amounts=[Decimal("2.50"), Decimal(1)],
    by_name={"a": Decimal("3.0")},
)
CODEC = ItemCodec(Positive, "userId", "limitId", "limits")
TYPED = TypedItems(Positive, "userId", "limitId")


def stored(state: Positive = STATE, **lineage: Any) -> Aggregate[Any]:
    known: Any = aggregate(("anna", "bet"), version=3)
    return replace(known, state=state, **lineage)


def item_of(known: Aggregate[Any]) -> dict[str, Any]:
    attributes = {name: to_attribute(value) for name, value in CODEC.attributes(known).items()}
    return {**CODEC.key(known.key), **attributes}


def encoded(item: Item) -> Raw:
    return Raw(msgspec.json.encode(item))


def by_dicts(item: Item) -> Aggregate[Any] | str | None:
    """Return what the other way leads to: an aggregate, None if it has expired, or what is wrong."""
    try:
        return None if CODEC.has_expired(item, NOW) else CODEC.aggregate(item)
    except UnreadableError as error:
        return str(error)


def by_both(item: Item) -> Aggregate[Any] | str | None:
    try:
        return CODEC.read(encoded(item), NOW)
    except UnreadableError as error:
        return str(error)


@pytest.mark.parametrize("amount", [each for each in NUMBERS if not each.startswith("-")])
def test_what_was_written_is_read_by_its_types_to_the_last_zero(amount: str) -> None:
    before = stored(replace(STATE, amount=Decimal(amount), later=Decimal(amount)))
    decoded = TYPED.decode(encoded(item_of(before)))
    assert decoded is not None
    assert decoded[0] == before
    assert str(decoded[0].state.amount) == str(before.state.amount)
    assert msgspec.json.encode(decoded[0]) == msgspec.json.encode(before)


def test_a_field_that_came_later_has_its_default() -> None:
    item = item_of(stored(replace(STATE, came_later="said", made=[1])))
    del item["cameLater"], item["made"]
    decoded = TYPED.decode(encoded(item))
    assert decoded is not None
    assert (decoded[0].state.came_later, decoded[0].state.made) == ("its default", [])


def test_an_aggregate_of_a_parked_key_has_its_note() -> None:
    note = Parked(2, 1_700_000_000_000, "why", None, "4960", 1)
    before = stored(parked=note, sequence_number=None, record_sequence_number=None)
    decoded = TYPED.decode(encoded(item_of(before)))
    assert decoded is not None
    assert decoded[0] == before


@pytest.mark.parametrize(
    ("expires_at", "is_there"), [("1700000000", False), ("1700000001", True), ("1.7E9", False)]
)
def test_what_has_expired_is_not_there(expires_at: str, *, is_there: bool) -> None:
    before = stored()
    item = {**item_of(before), "expiresAt": {"N": expires_at}}
    assert CODEC.read(encoded(item), NOW) == (before if is_there else None)


def test_one_that_is_vacant_is_left_to_the_other_way() -> None:
    vacant: Aggregate[Any] = replace(stored(), state=None)
    assert TYPED.decode(encoded(item_of(vacant))) is None
    assert CODEC.read(encoded(item_of(vacant)), NOW) == vacant


AS_RETURNED = ["0", "1", "7", "-1", "1.5", "-12.5", "9800.1", "100", "9" * 38, "0." + "1" * 38, "1E-130"]
"""Numbers as the service returns them: without zeros at their end."""
TEXTS = ["", "red", "BET", "7", "true", "its default", "4960", "2026-01-01"]
PLAIN: list[Any] = [
    *({"S": text} for text in TEXTS),
    *({"N": number} for number in AS_RETURNED),
    *({"BOOL": flag} for flag in (True, False)),
    {"NULL": True},
    {"B": "AAAA"},
    {"SS": ["a"]},
]
INNER = ["amount", "note", "count", "inner", "0", "1"]
ATTRIBUTES = st.recursive(
    st.sampled_from(PLAIN),
    lambda values: st.one_of(
        st.fixed_dictionaries({"L": st.lists(values, max_size=2)}),
        st.fixed_dictionaries({"M": st.dictionaries(st.sampled_from(INNER), values, max_size=2)}),
    ),
    max_leaves=3,
)
NAMES = [*item_of(stored()), "later", "expiresAt", "decimals", "vacant", "parked", "unknown"]


@given(
    st.dictionaries(st.sampled_from(NAMES[2:]), ATTRIBUTES, max_size=3),
    st.sets(st.sampled_from(NAMES[2:]), max_size=2),
)
def test_whatever_another_program_has_stored_both_ways_lead_to_the_same(
    attributes: dict[str, Any], missing: set[str]
) -> None:
    item = {**item_of(stored()), **attributes}
    item = {name: value for name, value in item.items() if name not in missing}
    found, expected = by_both(item), by_dicts(item)
    assert found == expected
    assert repr(found) == repr(expected)  # to the last zero
