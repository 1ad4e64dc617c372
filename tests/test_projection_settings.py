"""What a projection takes and refuses when it is made, and what it does where nothing is said."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from kinesis_handler import BusinessError, ConfigurationError, Event, Key, KinesisHandler, Projection
from kinesis_handler.aggregate import MAX_RECENT_EVENT_IDS
from kinesis_handler.batch import Source
from kinesis_handler.local.event_source import LocalContext
from kinesis_handler.outcome import ReaderKey
from kinesis_handler.quarantine.entry import position_of
from kinesis_handler.recipients import Recipients
from kinesis_handler.stores import Change, Loaded, Saved
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.sqlite import SQLiteRepository
from kinesis_handler.testing import FakeClock, invocation
from made_events import event
from testkit.quarantine import MemoryQuarantine


class Added(Struct):
    key: str


class Counts(Projection[int, Added]):
    event_types = {"ADDED": Added}

    def key(self, event: Event[Added]) -> Key:
        return "counts", event.payload.key

    def apply(self, state: int | None, event: Event[Added]) -> int:  # noqa: ARG002 - each counts
        return (state or 0) + 1


class Busy(MemoryRepository[int]):
    """Notes how many keys are loaded at a time; another writer gets in between so many times."""

    def __init__(self, conflicts: int = 0) -> None:
        super().__init__()
        self._conflicts = conflicts
        self.loaded: list[int] = []

    def load(self, keys: Collection[Key]) -> Loaded[int]:
        self.loaded.append(len(keys))
        return super().load(keys)

    def save(self, changes: Sequence[Change[int]]) -> Saved:
        if self._conflicts:
            self._conflicts -= 1
            return Saved(conflicts={each.key for each in changes})
        return super().save(changes)


def added(*keys: str) -> dict[str, Any]:
    return invocation(
        [
            {"eventId": f"{number}", "type": "ADDED", "createdAt": 1, "payload": {"key": key}}
            for number, key in enumerate(keys)
        ]
    )


def test_a_thousand_keys_are_a_slice_unless_it_is_said_otherwise() -> None:
    repository = Busy()
    KinesisHandler([Counts(repository)]).handle(added(*map(str, range(1_001))))
    assert repository.loaded == [1_000, 1]


@pytest.mark.parametrize(("conflicts", "status"), [(4, "applied"), (5, "failed")])
def test_a_key_is_tried_five_times_unless_it_is_said_otherwise(conflicts: int, status: str) -> None:
    repository = Busy(conflicts)
    [handled] = KinesisHandler([Counts(repository)]).handle(added("a"))
    assert handled.outcome.status == status
    assert repository.loaded == [1] * 5


@pytest.mark.parametrize(
    "options",
    [
        {"slice_size": 1, "attempts": 1},
        {"recent_event_ids": 1},
        {"recent_event_ids": MAX_RECENT_EVENT_IDS},
        {"park_after": None},
        {"park_after": 0},
    ],
)
def test_the_first_and_the_last_of_what_is_allowed_is_taken(options: dict[str, Any]) -> None:
    [handled] = KinesisHandler([Counts(MemoryRepository(), **options)]).handle(added("a"))
    assert handled.outcome.status == "applied"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"slice_size": 0}, "slice_size is 0 and attempts is 5; allowed: from 1 up"),
        ({"attempts": 0}, "slice_size is 1000 and attempts is 0; allowed: from 1 up"),
        ({"recent_event_ids": 0}, "recent_event_ids is 0; allowed: from 1 to 1,000"),
        ({"recent_event_ids": 1_001}, "recent_event_ids is 1001; allowed: from 1 to 1,000"),
        ({"park_after": -1}, "park_after is -1; allowed: from 0 up, or None for never"),
        ({"park_after": float("inf")}, "park_after is inf; allowed: from 0 up, or None for never"),
    ],
)
def test_what_is_not_allowed_is_an_error_that_says_what_is(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Counts(MemoryRepository(), **options)
    assert str(raised.value) == message


class Without(Projection[int, Added]):
    event_types = {"ADDED": Added}

    def apply(self, state: int | None, event: Event[Added]) -> int:  # noqa: ARG002 - it is never called
        return 0


async def coroutine(*_: Any) -> Any: ...


@pytest.mark.parametrize("name", ["key", "keys", "apply", "is_snapshot", "on_change"])
def test_a_coroutine_function_is_refused_by_its_name(name: str) -> None:
    refused = type("Refused", (Counts,), {name: coroutine})
    with pytest.raises(ConfigurationError) as raised:
        refused(MemoryRepository())
    assert str(raised.value).startswith(f"`{name}` of Refused is a coroutine function: ")


def test_a_projection_without_a_key_is_refused() -> None:
    with pytest.raises(ConfigurationError) as raised:
        Without(MemoryRepository())
    assert str(raised.value) == "Without has neither `key` nor `keys`: write one of them"


class Wrong(Counts):
    def apply(self, state: int | None, event: Event[Added]) -> int:  # noqa: ARG002 - it is another type
        return "text"  # type: ignore[return-value]


def test_a_result_of_another_type_fails_with_the_names_of_the_projection_and_of_its_type() -> None:
    [handled] = KinesisHandler([Wrong(MemoryRepository())]).handle(added("a"))
    assert handled.outcome.status == "failed"
    assert "Wrong" in str(handled.outcome.error)
    assert "int" in str(handled.outcome.error)


def test_a_repository_of_another_type_is_refused(tmp_path: Path) -> None:
    other: Any = SQLiteRepository(tmp_path / "states.db", str)
    with pytest.raises(ConfigurationError, match="Counts"):
        Counts(other)


class Late(Counts):
    """Fails at its first event."""

    def apply(self, state: int | None, event: Event[Added]) -> int:
        if event.id == "0":
            raise BusinessError("not now")
        return super().apply(state, event)


class Whole(Late):
    def is_snapshot(self, event: Event[Added], state: int | None) -> bool:  # noqa: ARG002 - all are
        return True


@pytest.mark.parametrize(
    ("projection", "park_after", "expected"),
    [
        (Late, 0, ["parked", "parked"]),
        (Late, None, ["failed", "failed"]),
        (Whole, 0, ["parked", "applied"]),
    ],
)
def test_a_projection_says_when_its_events_are_parked_and_which_release_their_key(
    projection: type[Late], park_after: float | None, expected: list[str]
) -> None:
    handler = KinesisHandler(
        [projection(MemoryRepository(), park_after=park_after)], quarantine=MemoryQuarantine()
    )
    assert [each.outcome.status for each in handler.handle(added("a", "a"))] == expected


@pytest.mark.parametrize(
    ("age", "is_last", "source", "expected"),
    [
        (61, False, Source.STREAM, "parked"),
        (59, False, Source.STREAM, "failed"),
        (0, True, Source.STREAM, "parked"),
        (61, True, Source.QUARANTINE, "failed"),
    ],
)
def test_what_fails_is_parked_a_minute_after_its_arrival_or_at_its_last_delivery(
    age: int, source: Source, expected: str, *, is_last: bool
) -> None:
    clock = FakeClock()
    handler = KinesisHandler([Late(MemoryRepository())], quarantine=MemoryQuarantine(), now=clock)
    batch = added("a")
    batch["Records"][0]["kinesis"]["approximateArrivalTimestamp"] = clock() - age
    context = LocalContext(clock, clock() + 60, is_last_delivery=is_last)
    [handled] = handler.handle(batch, context, source=source)
    assert (handled.outcome.status, str(handled.outcome.error)) == (expected, "not now")


def test_what_waits_of_a_key_is_released_by_its_records() -> None:
    repository: MemoryRepository[int] = MemoryRepository()
    waiting = added("a", "a")
    parking = KinesisHandler([Late(repository, park_after=0)], quarantine=MemoryQuarantine())
    parked = [position_of(each.record) for each in parking.handle(waiting)]
    recipients = Recipients(released=ReaderKey("Counts", ("counts", "a")), parked=parked)
    result = KinesisHandler([Counts(repository)]).handle(waiting, source=Source.PARKED, recipients=recipients)
    assert [each.outcome.status for each in result] == ["applied", "applied"]
    assert [(each.state, each.is_parked) for each in repository.scan()] == [(2, False)]


def test_a_projection_with_one_key_names_it_as_all_of_its_keys() -> None:
    payload = Added("a")
    of_a = Event("1", "ADDED", 1, payload, event("1").record)
    assert [*Counts(MemoryRepository()).keys(of_a)] == [("counts", "a")]
