"""What a store can never keep: rejected event by event, so that it does not matter how the stream was cut."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import Struct

from kinesis_handler import BusinessError, Event, Key, KinesisHandler, Projection, RepositoryError
from kinesis_handler.errors import UnstorableError
from kinesis_handler.event_source import LocalContext
from kinesis_handler.repository import Change, Saved
from kinesis_handler.repository.memory import MemoryRepository
from kinesis_handler.testing import FakeClock, invocation


class Added(Struct):
    text: str


class Texts(Projection[str]):
    event_types = {"ADDED": Added}

    def key(self, event: Event[Added]) -> Key:  # noqa: ARG002 - there is but one
        return "texts", "1"

    def apply(self, state: str | None, event: Event[Added]) -> str:
        if event.payload.text == "!":
            raise BusinessError("not now")
        return (state or "") + event.payload.text


class SmallRepository(MemoryRepository[str]):
    """Keeps no text of more than five letters. Each save takes a second."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._now = clock
        self.down_at: str | None = None

    def save(self, changes: Sequence[Change[str]]) -> Saved:
        self._now.advance(1)
        saved = super().save([change for change in changes if len(change.after.state) <= 5])
        for change in changes:
            if len(change.after.state) > 5:
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
