"""What a store can never keep: rejected event by event, so that it does not matter how the stream was cut."""

from collections.abc import Sequence
from decimal import Context, getcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from kinesis_handler import (
    Aggregate,
    BusinessError,
    Event,
    Key,
    KinesisHandler,
    Projection,
    RejectedError,
    RepositoryError,
)
from kinesis_handler.errors import UnstorableError
from kinesis_handler.local.event_source import LocalContext
from kinesis_handler.stores import Change, Saved
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import FakeClock, invocation


class Added(Struct):
    text: str


class Texts(Projection[str, Added]):
    event_types = {"ADDED": Added}

    def key(self, event: Event[Added]) -> Key:  # noqa: ARG002 - there is but one
        return "texts", "1"

    def apply(self, state: str | None, event: Event[Added]) -> str:
        if event.payload.text == "!":
            raise BusinessError("not now")
        if event.payload.text == "?":
            raise RejectedError("not ever")
        return (state or "") + event.payload.text


class SmallRepository(MemoryRepository[str]):
    """Keeps no text of more than so many letters. Each save takes a second.

    Args:
        clock: by which it takes it.
        largest: how many letters.
        knows: whether it says so before it is tried.
        taken: how many of the first saves conflict.
    """

    def __init__(self, clock: FakeClock, *, largest: int = 5, knows: bool = False, taken: int = 0) -> None:
        super().__init__()
        self._now = clock
        self._largest = largest
        self._knows = knows
        self._taken = taken
        self.down_at: str | None = None
        self.saves = 0

    def refusal(self, aggregate: Aggregate[str | None]) -> UnstorableError | None:
        """Say that it is too large, if that is known before it is tried."""
        too_large = self._knows and len(aggregate.state or "") > self._largest
        return UnstorableError("too large") if too_large else None

    def save(self, changes: Sequence[Change[str]]) -> Saved:
        self._now.advance(1)
        self.saves += 1
        if self._taken:  # by another writer
            self._taken -= 1
            return Saved(conflicts={change.key for change in changes})
        saved = super().save([change for change in changes if len(change.after.state or "") <= self._largest])
        for change in changes:
            if len(change.after.state or "") > self._largest:
                saved.failed[change.key] = UnstorableError("too large")
            elif change.after.state == self.down_at:
                saved.failed[change.key] = RepositoryError("down")
        return saved


def added(*texts: str) -> list[dict[str, Any]]:
    return [
        {"eventId": f"{place}", "type": "ADDED", "createdAt": place, "payload": {"text": text}}
        for place, text in enumerate(texts)
    ]


TEXTS = ["ab", "cdef", "c", "ghijkl", "de", "f"]
KEPT = ["applied", "rejected", "applied", "rejected", "applied", "rejected"]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 6])
def test_only_the_events_that_lead_to_it_are_rejected_however_the_stream_is_cut(batch_size: int) -> None:
    repository = SmallRepository(FakeClock())
    handler = KinesisHandler([Texts(repository)])
    records = invocation(added(*TEXTS))["Records"]
    outcomes: list[str] = []
    for start in range(0, len(records), batch_size):
        result = handler.handle({"Records": records[start : start + batch_size]})
        outcomes += [handled.outcome.status.value for handled in result]
        assert result.response() == {"batchItemFailures": []}
    assert outcomes == KEPT
    [stored] = repository.scan()
    assert (stored.state, stored.version) == ("abcde", 3)


def test_what_is_saved_in_parts_is_computed_as_the_projection_says() -> None:
    class Rounding(Texts):
        decimal_context = Context(prec=3)

        def apply(self, state: str | None, event: Event[Added]) -> str:
            precisions.add(getcontext().prec)
            return super().apply(state, event)

    precisions: set[int] = set()
    result = KinesisHandler([Rounding(SmallRepository(FakeClock()))]).handle(invocation(added(*TEXTS)))
    assert [each.outcome.status.value for each in result] == KEPT
    assert precisions == {3}


def test_the_reason_is_the_stores() -> None:
    handler = KinesisHandler([Texts(SmallRepository(FakeClock()))])
    [handled] = handler.handle(invocation(added("abcdef")))
    assert isinstance(handled.outcome.error, UnstorableError)
    assert str(handled.outcome.error) == "too large"


def test_after_one_that_fails_the_later_ones_are_held_back() -> None:
    repository = SmallRepository(FakeClock())
    repository.down_at = "abc"
    result = KinesisHandler([Texts(repository)]).handle(invocation(added(*TEXTS)))
    assert [handled.outcome.status.value for handled in result] == [*KEPT[:2], *["failed"] * 4]


def test_it_stops_before_the_deadline_and_keeps_what_it_has_done() -> None:
    clock = FakeClock()
    repository = SmallRepository(clock)
    handler = KinesisHandler([Texts(repository)], reserve_ms=1_000)
    result = handler.handle(invocation(added(*TEXTS)), LocalContext(clock, clock() + 4))
    assert [handled.outcome.status.value for handled in result] == [*KEPT[:2], *["failed"] * 4]
    [stored] = repository.scan()
    assert stored.state == "ab"


def test_without_time_from_the_start_it_still_gets_on() -> None:
    clock = FakeClock()
    handler = KinesisHandler([Texts(SmallRepository(clock))])
    result = handler.handle(invocation(added(*TEXTS)), LocalContext(clock, clock()))
    assert [handled.outcome.status.value for handled in result] == [KEPT[0], *["failed"] * 5]


@given(
    texts=st.lists(
        st.one_of(st.text("ab", max_size=4), st.sampled_from(["?", "x" * 40]), st.just("!")), max_size=40
    ),
    largest=st.integers(0, 30),
    knows=st.booleans(),
    taken=st.integers(0, 3),
)
def test_it_ends_as_if_each_event_had_come_by_itself(
    texts: list[str], largest: int, knows: bool, taken: int
) -> None:
    records = invocation(added(*texts))["Records"]
    alone = SmallRepository(FakeClock(), largest=largest)
    one_by_one: list[str] = []
    for record in records:
        if "failed" in one_by_one:
            one_by_one.append("failed")
            continue
        [handled] = KinesisHandler([Texts(alone)]).handle({"Records": [record]})
        one_by_one.append(handled.outcome.status.value)
    together = SmallRepository(FakeClock(), largest=largest, knows=knows, taken=taken)
    result = KinesisHandler([Texts(together)]).handle({"Records": records})
    assert [handled.outcome.status.value for handled in result] == one_by_one
    assert list(together.scan()) == list(alone.scan())


class Watching:
    """A quarantine that notes which version is stored whenever it is asked to keep something."""

    def __init__(self, repository: SmallRepository) -> None:
        self._repository = repository
        self.versions: list[int] = []

    def keep(self, name: str, content: bytes) -> None:  # noqa: ARG002
        self.versions.append(sum(each.version for each in self._repository.scan()))


@pytest.mark.parametrize("knows", [False, True])
def test_what_does_not_fit_is_in_the_quarantine_before_what_lies_behind_it_is_saved(*, knows: bool) -> None:
    repository = SmallRepository(FakeClock(), knows=knows)
    quarantine = Watching(repository)
    handler = KinesisHandler([Texts(repository)], quarantine=quarantine)
    handler.handle(invocation(added("abcd", "xx", "e")))
    assert quarantine.versions[0] == 1
    assert [each.version for each in repository.scan()] == [2]


@pytest.mark.parametrize("knows", [False, True])
def test_of_a_thousand_events_of_which_the_last_does_not_fit_there_are_few_saves(*, knows: bool) -> None:
    repository = SmallRepository(FakeClock(), largest=999, knows=knows)
    result = KinesisHandler([Texts(repository)]).handle(invocation(added(*["x"] * 1_000)))
    assert [handled.outcome.status.value for handled in result] == ["applied"] * 999 + ["rejected"]
    assert repository.saves <= 12


@pytest.mark.parametrize("place", [0, 1, 499, 500, 998])
def test_of_a_thousand_events_of_which_one_does_not_fit_there_are_few_saves(place: int) -> None:
    repository = SmallRepository(FakeClock(), largest=2_000)
    texts = ["x"] * 1_000
    texts[place] = "x" * 2_001
    result = KinesisHandler([Texts(repository)]).handle(invocation(added(*texts)))
    assert [handled.record.sequence_number for handled in result.rejected()] == [
        [handled.record.sequence_number for handled in result][place]
    ]
    assert repository.saves <= 24


def test_a_thousand_events_none_of_which_fits_cost_one_save_if_that_is_known_before() -> None:
    repository = SmallRepository(FakeClock(), knows=True)
    quarantine = Watching(repository)
    handler = KinesisHandler([Texts(repository)], quarantine=quarantine)
    records = invocation(added("abcde", *["x"] * 1_000))["Records"]
    handler.handle({"Records": records[:1]})
    repository.saves = 0
    assert len(handler.handle({"Records": records[1:]}).rejected()) == 1_000
    assert repository.saves == 1, "the batch as a whole"
    assert len(quarantine.versions) == 1
