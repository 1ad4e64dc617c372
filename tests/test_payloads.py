"""Payloads of any kind: what decodes them names the field that is wrong, and quotes no value."""

import dataclasses
import json
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict

import attrs
import pydantic
import pytest
from msgspec import Struct
from pydantic_core import PydanticCustomError

from kinesis_handler import Event, KinesisHandler, Projection, event_processor
from kinesis_handler.envelopes import Envelope
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import invocation

SECRET = "s3cr3t"  # noqa: S105 - it stands for what no message may quote


class InStruct(Struct):
    account: str
    amount: Decimal


@dataclasses.dataclass
class InDataclass:
    account: str
    amount: Decimal


@attrs.define
class InAttrs:
    account: str = attrs.field(validator=attrs.validators.max_len(5))
    amount: Decimal


class InTypedDict(TypedDict):
    account: str
    amount: Decimal
    note: NotRequired[str]


class InModel(pydantic.BaseModel):
    account: str
    amount: Decimal


@pydantic.dataclasses.dataclass
class InPydanticDataclass:
    account: Annotated[str, pydantic.Field(max_length=5)]
    amount: Decimal


class Cat(pydantic.BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(pydantic.BaseModel):
    kind: Literal["dog"]
    tricks: dict[str, int]


class Owner(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    pet: Annotated[Cat | Dog, pydantic.Field(discriminator="kind")]
    since: datetime | None = None
    age: Annotated[int, pydantic.Field(ge=18, alias="ageInYears")] = 18
    checked: int = 0
    tags: list[int] = []

    @pydantic.field_validator("checked")
    @classmethod
    def check(cls, value: int) -> int:
        if value == 1:
            raise ValueError(f"{SECRET} is not allowed")
        if value == 2:
            raise KeyError(SECRET)
        if value == 3:
            raise PydanticCustomError("own", f"{SECRET} is not allowed")
        return value


def handled(schema: Any, payload: object) -> tuple[Any, str]:
    """Return the payload as a processor gets it, and the reason if the event is rejected."""
    seen: list[Any] = []

    @event_processor({"OPENED": schema})
    def take(event: Event[Any]) -> None:
        seen.append(event.payload)

    event = {"eventId": "1", "type": "OPENED", "createdAt": 1, "payload": payload}
    result = KinesisHandler([take]).handle(invocation([event]))
    reasons = [str(each.outcome.error) for each in result.rejected()]
    return (seen or [None])[0], (reasons or [""])[0]


GOOD = {"account": "a-1", "amount": "100.10"}


@pytest.mark.parametrize(
    "schema",
    [InStruct, InDataclass, InAttrs, InTypedDict, InModel, InPydanticDataclass],
    ids=lambda each: each.__name__,
)
def test_a_payload_may_be_of_any_of_these_kinds(schema: Any) -> None:
    payload, reason = handled(schema, GOOD)
    values = payload if isinstance(payload, dict) else {name: getattr(payload, name) for name in GOOD}

    assert (values, reason) == ({"account": "a-1", "amount": Decimal("100.10")}, "")
    assert schema is InTypedDict or type(payload) is schema
    _, missing = handled(schema, {"account": "a-1"})
    assert "amount" in missing
    assert "`$.payload" in missing


@pytest.mark.parametrize("schema", [InAttrs, InPydanticDataclass], ids=lambda each: each.__name__)
def test_validators_of_a_class_are_run(schema: Any) -> None:
    payload, reason = handled(schema, GOOD | {"account": SECRET})
    assert payload is None
    assert "- at `$.payload.account`" in reason
    assert SECRET not in reason


def test_a_union_of_models_is_decoded_by_pydantic() -> None:
    assert handled(Cat | Dog, {"kind": "cat", "lives": 9}) == (Cat(kind="cat", lives=9), "")
    assert handled(list[Cat], [{"kind": "cat", "lives": 9}])[0] == [Cat(kind="cat", lives=9)]


CAT = {"kind": "cat", "lives": 9}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"pet": {"kind": SECRET}}, "Not valid (union_tag_invalid) - at `$.payload.pet`"),
        (
            {"pet": CAT | {"lives": SECRET}},
            "unable to parse string as an integer - at `$.payload.pet[…].lives`",
        ),
        (
            {"pet": {"kind": "dog", "tricks": {SECRET: "x"}}},
            "unable to parse string as an integer - at `$.payload.pet[…].tricks[…]`",
        ),
        ({"pet": CAT, "since": SECRET}, "Not valid (datetime_from_date_parsing) - at `$.payload.since`"),
        ({"pet": CAT, "ageInYears": 3}, "greater than or equal to 18 - at `$.payload.ageInYears`"),
        ({"pet": CAT, "checked": 1}, "Not valid (value_error) - at `$.payload.checked`"),
        ({"pet": CAT, "checked": 3}, "Not valid (own) - at `$.payload.checked`"),
        ({"pet": CAT, "checked": 2}, "A validator: KeyError raised at test_payloads.py:"),
        ({"pet": CAT, "tags": [1, SECRET, SECRET]}, "as an integer, and 1 more - at `$.payload.tags[1]`"),
        ({"pet": CAT, SECRET: 1}, "Extra inputs are not permitted - at `$.payload[…]`"),
        ([SECRET], "Input should be an object - at `$.payload`"),
        ({}, "Field required - at `$.payload.pet`"),
    ],
)
def test_errors_of_pydantic_name_the_field_and_quote_no_value(payload: object, reason: str) -> None:
    decoded, sentence = handled(Owner, payload)
    assert decoded is None
    assert reason in sentence
    assert SECRET not in sentence


class Folder(pydantic.BaseModel):
    size: int
    inner: "Folder | None" = None


def test_a_model_may_be_made_of_itself() -> None:
    assert handled(Folder, {"size": 1, "inner": {"size": 2}})[0] == Folder(size=1, inner=Folder(size=2))
    assert "at `$.payload.inner.size`" in handled(Folder, {"size": 1, "inner": {"size": SECRET}})[1]


def test_a_model_may_be_json_in_a_text() -> None:
    class Message(Struct):
        id: str
        at: int
        body: str

    seen: list[Any] = []

    @event_processor({"1": Cat})
    def take(event: Event[Cat]) -> None:
        seen.append(event.payload)

    envelope = Envelope(Message, id="id", type="id", created_at="at", payload="body")
    KinesisHandler([take], envelope=envelope).handle(
        invocation([{"id": "1", "at": 1, "body": json.dumps(CAT)}])
    )
    assert seen == [Cat(kind="cat", lives=9)]


def test_a_number_without_a_type_is_exact() -> None:
    payload, _ = handled(Any, {"amount": 0.1})
    assert (payload, type(payload["amount"])) == ({"amount": Decimal("0.1")}, Decimal)


def test_a_class_that_raises_anything_rejects_its_event_alone() -> None:
    class Fragile(Struct):
        divisor: int

        def __post_init__(self) -> None:
            nothing: dict[int, int] = {}
            _ = nothing[self.divisor]

    _, reason = handled(Fragile, {"divisor": 987654321})
    assert reason.startswith("KeyError raised at test_payloads.py:")
    assert reason.endswith(" in __post_init__ - at `$.payload`")


def test_a_lack_of_memory_says_nothing_of_the_event() -> None:
    class Greedy(Struct):
        def __post_init__(self) -> None:
            raise MemoryError

    with pytest.raises(MemoryError):
        handled(Greedy, {})


def test_a_named_tuple_is_an_array() -> None:
    class Pair(NamedTuple):
        account: str
        amount: int

    assert handled(Pair, ["a-1", 3]) == (Pair("a-1", 3), "")


def test_a_projection_of_models_folds_them() -> None:
    class Sum(Struct, frozen=True):
        amount: Decimal

    class Sums(Projection[Sum, InModel]):
        event_types = {"OPENED": InModel}

        def key(self, event: Event[InModel]) -> tuple[str, str]:
            return "sums", event.payload.account

        def apply(self, state: Sum | None, event: Event[InModel]) -> Sum:
            return Sum((state.amount if state else Decimal(0)) + event.payload.amount)

    repository: MemoryRepository[Sum] = MemoryRepository()
    events = [{"eventId": str(n), "type": "OPENED", "createdAt": n, "payload": GOOD} for n in range(3)]
    assert KinesisHandler([Sums(repository)])(invocation(events)) == {"batchItemFailures": []}
    [stored] = repository.find("sums").aggregates
    assert stored.state == Sum(Decimal("300.30"))


def test_a_number_of_a_model_that_apply_stumbles_over_rejects_its_event() -> None:
    class Loose(pydantic.BaseModel):
        amount: Annotated[Decimal, pydantic.Field(allow_inf_nan=True)]

    class Largest(Struct, frozen=True):
        amount: Decimal

    class Maxima(Projection[Largest, Loose]):
        event_types = {"OPENED": Loose}

        def key(self, event: Event[Loose]) -> tuple[str, str]:  # noqa: ARG002
            return "maxima", "one"

        def apply(self, state: Largest | None, event: Event[Loose]) -> Largest:  # noqa: ARG002
            return Largest(max(event.payload.amount, Decimal(0)))

    repository: MemoryRepository[Largest] = MemoryRepository()
    event = {"eventId": "1", "type": "OPENED", "createdAt": 1, "payload": {"amount": "NaN"}}
    [rejected] = KinesisHandler([Maxima(repository)]).handle(invocation([event])).rejected()
    assert str(rejected.outcome.error).startswith("`$.amount` of the payload is not a finite number")


class Wire(Struct):
    id: str
    type: str
    at: int
    body: Any


@pytest.mark.parametrize("schema", [InStruct, InDataclass, InAttrs, InModel], ids=lambda each: each.__name__)
def test_an_object_of_a_decoder_of_ones_own_is_converted_to_any_of_them(schema: Any) -> None:
    def decoder(content: bytes) -> Wire:
        return Wire("1", "OPENED", 1, json.loads(content))

    seen: list[Any] = []

    @event_processor({"OPENED": schema})
    def take(event: Event[Any]) -> None:
        seen.append(event.payload)

    envelope = Envelope(Wire, id="id", type="type", created_at="at", payload="body", decoder=decoder)
    handler = KinesisHandler([take], envelope=envelope)
    [good, bad] = handler.handle(invocation([GOOD, GOOD | {"account": 3}]))
    assert (good.outcome.status.value, bad.outcome.status.value) == ("applied", "rejected")
    assert "- at `$.body.account`" in str(bad.outcome.error)
    assert type(seen[0]) is schema
