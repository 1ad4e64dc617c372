"""What `key` and `apply` return is looked at before anything is stored, alike in every store."""

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypedDict, TypeVar

import pytest
from msgspec import Struct

from kinesis_handler import ConfigurationError, Event, Key, KinesisHandler, Projection, Remark, Remarked
from kinesis_handler.errors import InvalidEventError, InvalidResultError, UnstorableError
from kinesis_handler.outcome import HandledRecord
from kinesis_handler.results import StateCheck, state_type_of
from kinesis_handler.stores import Repository
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.sqlite import SQLiteRepository
from kinesis_handler.testing import invocation
from kinesis_handler.testing.hard_values import UNSTORABLE_KEYS

T = TypeVar("T")


class Added(Struct):
    amount: Decimal = Decimal(1)


class Sum(Struct, frozen=True):
    total: Decimal


class Other(Struct, frozen=True):
    total: Decimal


class Sums(Projection[Sum, Added]):
    """Adds up, but for the event that the test has something else returned for."""

    event_types = {"ADDED": Added}

    def __init__(self, repository: Repository[Sum], key: Any = None, result: Any = None) -> None:
        super().__init__(repository)
        self._key, self._result = key, result

    def key(self, event: Event[Added]) -> Key:
        if event.id == "odd" and self._key is not None:
            returned: Key = self._key()
            return returned
        return "sums", "1"

    def apply(self, state: Sum | None, event: Event[Added]) -> Sum | Remarked[Sum]:
        if event.id == "odd" and self._result is not None:
            returned: Sum = self._result()
            return returned
        return Sum((state.total if state is not None else Decimal(0)) + event.payload.amount)


@pytest.fixture(params=["memory", "sqlite", pytest.param("dynamodb", marks=pytest.mark.other_programs)])
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> Repository[Sum]:
    """Return an empty repository of each kind."""
    if request.param == "memory":
        return MemoryRepository()
    if request.param == "sqlite":
        return SQLiteRepository(tmp_path / "sums.db", Sum)
    in_dynamodb: Repository[Sum] = request.getfixturevalue("tables").repository(Sum)
    return in_dynamodb


def added(event_id: str, amount: str = "1") -> dict[str, Any]:
    return {"eventId": event_id, "type": "ADDED", "createdAt": 0, "payload": {"amount": amount}}


def handle(projection: Projection[Any, Any], *events: dict[str, Any]) -> list[HandledRecord]:
    return list(KinesisHandler([projection]).handle(invocation(list(events))))


def statuses(handled: list[HandledRecord]) -> list[str]:
    return [each.outcome.status.value for each in handled]


async def nothing() -> None: ...


def letters() -> Iterator[str]:
    yield "a"


EXPECTED = "expected: Sum, DELETED, or a Remarked of one of these"


@pytest.mark.parametrize(
    ("result", "described"),
    [
        (lambda: None, "None"),
        (lambda: {"total": 1}, "a value of the type dict"),
        (lambda: Other(Decimal(1)), "a value of the type Other"),
        (lambda: Sum, "a value of the type StructMeta"),
        (nothing, "a coroutine or another awaitable, which nobody awaits"),
        (letters, "a generator, which nobody iterates"),
        (lambda: Remarked(None, ()), "a Remarked of None"),
        (lambda: Remarked("sum", ()), "a Remarked of a value of the type str"),
        (lambda: Remarked(Remarked(Sum(Decimal(1)), ()), ()), "a Remarked of a value of the type Remarked"),
    ],
    ids=[
        "None",
        "dict",
        "another Struct",
        "class",
        "coroutine",
        "generator",
        "None inside",
        "str inside",
        "two",
    ],
)
def test_an_event_for_which_apply_returns_no_state_fails_and_leaves_what_is_stored(
    repository: Repository[Sum], result: Callable[[], object], described: str
) -> None:
    projection = Sums(repository, result=result)
    handled = handle(projection, added("first"), added("odd"), added("held back"))
    assert statuses(handled) == ["applied", "failed", "failed"]
    error = handled[1].outcome.error
    assert isinstance(error, InvalidResultError)
    assert str(error) == f"`apply` of Sums returned {described}; {EXPECTED}"
    [stored] = repository.scan()
    assert (stored.state, stored.version) == (Sum(Decimal(1)), 1)


@pytest.mark.parametrize("remarks", [Remark("wavy"), None, ("wavy",), [Remark("wavy")]])
def test_remarks_that_are_none_fail_their_event(remarks: Any) -> None:
    projection = Sums(MemoryRepository(), result=lambda: Remarked(Sum(Decimal(1)), remarks))
    [handled] = handle(projection, added("odd"))
    assert statuses([handled]) == ["failed"]
    assert "a Remarked whose remarks are no tuple of Remark" in str(handled.outcome.error)


@pytest.mark.parametrize(
    ("key", "described"),
    [
        (lambda: None, "None"),
        (lambda: "ab", "a value of the type str"),
        (lambda: ["a", "b"], "a value of the type list"),
        (lambda: ("a",), "a value of the type tuple"),
        (lambda: ("a", 7), "a tuple of a value of the type str and a value of the type int"),
        (lambda: (None, "1"), "a tuple of None and a value of the type str"),
        (lambda: ("a", ["b"]), "a tuple of a value of the type str and a value of the type list"),
        (nothing, "a coroutine or another awaitable, which nobody awaits"),
    ],
    ids=["None", "str", "list", "one", "int", "no partition", "list inside", "coroutine"],
)
def test_an_event_whose_key_is_not_two_strings_fails_alone(
    repository: Repository[Sum], key: Callable[[], object], described: str
) -> None:
    handled = handle(Sums(repository, key=key), added("first"), added("odd"), added("last"))
    assert sorted(zip(statuses(handled), ["first", "odd", "last"], strict=True)) == [
        ("applied", "first"),
        ("applied", "last"),
        ("failed", "odd"),
    ]
    error = handled[1].outcome.error
    assert isinstance(error, InvalidResultError)
    expected = "expected: a tuple of two strings, neither of them empty"
    assert str(error) == f"`key` of Sums returned {described}; {expected}"
    assert [each.key for each in repository.scan()] == [("sums", "1")]


@pytest.mark.parametrize("key", UNSTORABLE_KEYS, ids=range(len(UNSTORABLE_KEYS)))
def test_an_event_whose_key_no_store_takes_is_rejected_alone(repository: Repository[Sum], key: Key) -> None:
    handled = handle(Sums(repository, key=lambda: key), added("first"), added("odd"), added("last"))
    assert statuses(handled) == ["applied", "rejected", "applied"]
    assert isinstance(handled[1].outcome.error, UnstorableError)
    assert [each.key for each in repository.scan()] == [("sums", "1")]


class Name(StrEnum):
    SUMS = "sums"


class Place(NamedTuple):
    partition: str
    sort: str


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize("key", [Place("sums", "1"), (Name.SUMS, "1"), (Text("sums"), Text("1"))])
def test_a_key_of_strings_of_another_class_is_the_key_that_they_spell(
    repository: Repository[Sum], key: Key
) -> None:
    handler = KinesisHandler([Sums(repository, key=lambda: key)])
    for record in invocation([added("odd"), added("first")])["Records"]:
        assert statuses(list(handler.handle({"Records": [record]}))) == ["applied"]
    [stored] = repository.scan()
    assert (stored.key, stored.version) == (("sums", "1"), 2)


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+126", "1E+999"])
def test_an_event_that_leads_to_a_number_no_store_keeps_is_rejected_alone(
    repository: Repository[Sum], amount: str
) -> None:
    handled = handle(Sums(repository), added("first", "5"), added("bad", amount), added("last"))
    assert statuses(handled) == ["applied", "rejected", "applied"]
    [stored] = repository.scan()
    assert (stored.state, stored.version) == (Sum(Decimal(6)), 2)


def test_where_apply_stumbles_over_a_number_that_is_none_its_event_is_rejected() -> None:
    [handled] = handle(Sums(MemoryRepository()), added("bad", "sNaN"))
    assert isinstance(handled.outcome.error, InvalidEventError)
    assert str(handled.outcome.error) == (
        "`$.amount` of the payload is not a finite number: InvalidOperation raised"
    )


class Unspoken(Projection):  # type: ignore[type-arg]
    """Does not say what its states are."""

    event_types = {"ADDED": Added}

    def key(self, event: Event[Added]) -> Key:  # noqa: ARG002 - there is but one
        return "a", "1"

    def apply(self, state: Any, event: Event[Added]) -> Any:  # noqa: ARG002 - it is always the same
        return {"n": 1}


def test_where_the_projection_does_not_say_its_type_the_repositorys_counts(tmp_path: Path) -> None:
    known, unknown = Unspoken(SQLiteRepository(tmp_path / "a.db", Sum)), Unspoken(MemoryRepository())
    assert statuses(handle(known, added("1"))) == ["failed"]
    assert statuses(handle(unknown, added("1"))) == ["applied"]


def test_a_projection_whose_repository_keeps_another_type_is_refused(tmp_path: Path) -> None:
    wrong: Any = SQLiteRepository(tmp_path / "a.db", Other)
    with pytest.raises(
        ConfigurationError, match=r"Sums makes states of type .*Sum.*its repository keeps .*Oth"
    ):
        Sums(wrong)


class Middle(Projection[T, Added], Generic[T]):
    pass


class Below(Middle["Sum"]):
    pass


class Between(Middle[T], Generic[T]):
    pass


class Lowest(Between[int]):
    pass


class Plain(Middle):  # type: ignore[type-arg]
    pass


@pytest.mark.parametrize(
    ("kind", "state_type"), [(Sums, Sum), (Below, Sum), (Lowest, int), (Plain, Any), (Unspoken, Any)]
)
def test_the_type_of_the_states_is_what_stands_for_it_in_the_class(kind: type, state_type: Any) -> None:
    assert state_type_of(kind, Projection) == state_type


class Row(TypedDict):
    n: int


@pytest.mark.parametrize(
    ("state_type", "good", "bad"),
    [
        (str, ["", "a"], [1, b"a", None]),
        (int, [0, 2**70], [True, 1.0, "1", None]),
        (bool, [True], [1, None]),
        (float, [1.5, 1], [True, "1", Decimal(1)]),
        (int | str, [1, "a"], [1.5, True, None]),
        (Sum | None, [Sum(Decimal(1))], [None, Other(Decimal(1))]),
        (dict[str, int], [{}, {"a": 1}], [[], None]),
        (list[int], [[]], [{}, ()]),
        (Row, [{"n": 1}], [[], None]),
        (Literal["a", 1], ["b", 2], [1.5, True, None]),
        (Any, [1, True, {}], [None]),
    ],
    ids=str,
)
def test_a_result_is_held_against_the_classes_of_the_type(
    state_type: Any, good: list[Any], bad: list[Any]
) -> None:
    check: StateCheck[Any] = StateCheck("P", state_type)
    for each in good:
        assert check.unpack(each) == (each, ())
    for each in bad:
        with pytest.raises(InvalidResultError):
            check.unpack(each)


def test_a_future_is_no_state_even_where_nobody_has_said_what_is_one() -> None:
    loop = asyncio.new_event_loop()
    with pytest.raises(InvalidResultError, match="a coroutine or another awaitable"):
        StateCheck("P", Any).unpack(loop.create_future())
    loop.close()


@pytest.mark.parametrize(
    "repository", ["sqlite", pytest.param("dynamodb", marks=pytest.mark.other_programs)], indirect=True
)
@pytest.mark.parametrize("total", ["x", 1j, [Decimal(1)], None], ids=str)
def test_a_state_that_could_not_be_read_again_is_rejected_and_its_key_stays_readable(
    repository: Repository[Sum], total: Any
) -> None:
    projection = Sums(repository, result=lambda: Sum(total))
    handled = handle(projection, added("first"), added("odd"), added("last"))
    assert statuses(handled) == ["applied", "rejected", "applied"]
    assert "it could not be read again as a Sum" in str(handled[1].outcome.error)
    [stored] = repository.scan()
    assert (stored.state, stored.version) == (Sum(Decimal(2)), 2)
