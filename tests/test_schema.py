"""What a payload may be decoded into: what msgspec cannot, registration refuses, and names."""

import dataclasses
from collections.abc import Mapping, Sized
from types import SimpleNamespace
from typing import Any, NamedTuple, Protocol, TypedDict

import msgspec
import pytest
from msgspec import UNSET, Raw, Struct, UnsetType
from pydantic import BaseModel

from kinesis_handler import ConfigurationError, Event, KinesisHandler, event_processor
from kinesis_handler.ingest.schema import RAW_IN_UNION, reason, type_problem
from kinesis_handler.testing import invocation


class Model(BaseModel):
    account: str


class UnresolvedModel(BaseModel):
    account: "Nowhere"  # type: ignore[name-defined]  # noqa: F821


class WithModel(Struct):
    models: dict[str, list[Model]]


class WithSpareModel(Struct):
    account: str
    model: Model | None = None


class Unresolved(Struct):
    account: "Nowhere"  # type: ignore[name-defined]  # noqa: F821


class One(Struct):
    account: str


class Two(Struct):
    account: str


class TaggedOne(Struct, tag_field="schema", tag=1):
    account: str


class TaggedTwo(Struct, tag_field="schema", tag=2):
    iban: str


@dataclasses.dataclass
class Data:
    account: str


class Typed(TypedDict):
    account: str


class Named(NamedTuple):
    account: str


class Tree(Struct):
    account: str
    below: "list[Tree]" = []


class Quacks(Protocol):
    def quack(self) -> None: ...


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        (UnresolvedModel, "not fully defined"),
        (One | Model, "Unable to generate pydantic-core schema"),
        (WithModel, "msgspec knows nothing of Model"),
        (Quacks, "msgspec knows nothing of Quacks"),
        (complex, "msgspec knows nothing of complex"),
        (Unresolved, "name 'Nowhere' is not defined"),
        (One | Two, "multiple Struct types"),
        ("One", "is not supported"),
    ],
    ids=str,
)
def test_a_schema_that_cannot_be_decoded_into_is_refused_with_its_processor_and_type(
    schema: Any, problem: str
) -> None:
    @event_processor({"OPENED": schema})
    def open_account(event: Event[Any]) -> None: ...

    handler = KinesisHandler()
    with pytest.raises(ConfigurationError) as caught:
        handler.register(open_account)
    sentence = str(caught.value)
    assert sentence.startswith("open_account takes 'OPENED' with a schema that cannot be decoded into: ")
    assert problem in sentence
    assert "; allowed: a msgspec.Struct, dataclass, class of attrs, TypedDict" in sentence
    event = {"eventId": "1", "type": "OPENED", "createdAt": 0, "payload": {"account": "x"}}
    [handled] = handler.handle(invocation([event]))
    assert handled.outcome.status.value == "ignored"


@pytest.mark.parametrize(
    "schema",
    [
        One,
        WithSpareModel,
        TaggedOne | TaggedTwo,
        Data,
        Typed,
        Tree,
        dict,
        Any,
        object,
        Sized,
        Mapping[str, str],
        Raw,
    ],
    ids=str,
)
def test_a_schema_that_can_be_decoded_into_is_taken(schema: Any) -> None:
    @event_processor({"OPENED": schema})
    def open_account(event: Event[Any]) -> None: ...

    event = {"eventId": "1", "type": "OPENED", "createdAt": 0, "payload": {"account": "x", "schema": 1}}
    if schema == Mapping[str, str]:
        del event["payload"]["schema"]  # type: ignore[attr-defined]
    [handled] = KinesisHandler([open_account]).handle(invocation([event]))
    assert handled.outcome.status.value == "applied"


def test_what_is_written_too_may_have_no_field_that_msgspec_knows_nothing_of() -> None:
    assert type_problem(WithSpareModel) is None
    assert type_problem(WithSpareModel, written=True) == "msgspec knows nothing of Model"


class Deep(Struct):
    inner: WithSpareModel


def test_what_is_written_is_looked_at_all_through() -> None:
    assert type_problem(Deep) is None
    assert type_problem(Deep, written=True) == "msgspec knows nothing of Model"


class WithRaw(Struct):
    body: Raw
    note: Raw | UnsetType = UNSET


class WithSpareUnion(Struct):
    body: Raw | None = None


def test_a_union_with_raw_is_refused_for_msgspec_never_decodes_it() -> None:
    for schema in (Raw | None, list[Raw | str], WithSpareUnion):
        assert type_problem(schema) == RAW_IN_UNION
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b"{}", type=Raw | None)
    assert type_problem(WithRaw) is None


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OverflowError("987"), "A number is beyond all bounds - at `$.payload`"),
        (RecursionError("deep"), "Nested too deeply - at `$.payload`"),
        (
            ValueError("Invalid enum value 's3cr3t' - at `$.x`"),
            "Not one of the allowed values - at `$.payload.x`",
        ),
        (ValueError("Invalid value 's3cr3t'"), "Not one of the allowed values - at `$.payload`"),
    ],
)
def test_the_reason_says_what_is_wrong_and_where_and_quotes_nothing(error: Exception, sentence: str) -> None:
    assert reason(error, ".payload") == sentence


@pytest.mark.parametrize("module", ["attr.validators", "attrs.validators"])
def test_what_a_validator_of_attrs_raises_is_not_quoted(module: str) -> None:
    validators: dict[str, Any] = {"__name__": module}
    exec(  # noqa: S102 - a validator's module is known by its name
        "def one(attr): raise ValueError('s3cr3t')\ndef whole(value): raise ValueError('s3cr3t')", validators
    )
    account = SimpleNamespace(name="account")
    for validator, value, path in (("one", account, ".payload.account"), ("whole", 1, ".payload")):
        error = ValueError("s3cr3t")
        try:
            validators[validator](value)
        except ValueError as cause:
            error.__cause__ = cause
        assert reason(error, ".payload") == f"Refused by its validator - at `${path}`"
