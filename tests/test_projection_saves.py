"""What a projection does where the store refuses a state: in parts, behind other writers, at a release."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from kinesis_handler import BusinessError, Event, Key, KinesisHandler, Projection
from kinesis_handler.batch import Source
from kinesis_handler.errors import RepositoryError, UnstorableError
from kinesis_handler.outcome import BatchResult
from kinesis_handler.quarantine.entry import position_of
from kinesis_handler.recipients import Recipients
from kinesis_handler.stores import Change, Saved
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import invocation
from testkit.quarantine import MemoryQuarantine


class Said(Struct):
    word: str


class Words(Projection[str, Said]):
    event_types = {"SAID": Said}
    fails = False

    def key(self, event: Event[Said]) -> Key:  # noqa: ARG002 - there is but one
        return "words", "1"

    def apply(self, state: str | None, event: Event[Said]) -> str:
        if self.fails:
            raise BusinessError("not now")
        return (state or "") + event.payload.word


class Small(MemoryRepository[str]):
    """Stores no x; from some moment on another writer is always there before."""

    busy_after = 1_000_000
    saves = 0

    def save(self, changes: Sequence[Change[str]]) -> Saved:
        self.saves += 1
        [change] = changes
        if self.saves > self.busy_after:
            return Saved(conflicts={change.key})
        if "x" in (change.after.state or ""):
            return Saved(failed={change.key: UnstorableError("no x")})
        return super().save(changes)


def said(first: int, letters: str) -> dict[str, Any]:
    return invocation(
        {"eventId": f"{n}", "type": "SAID", "createdAt": n, "payload": {"word": letter}}
        for n, letter in enumerate(letters, first)
    )


def described(result: BatchResult) -> list[tuple[str, str]]:
    return [(each.outcome.status.value, str(each.outcome.error or "")) for each in result]


HELD_BACK = ("failed", "an earlier event of the same key failed")


def test_parts_are_saved_behind_what_was_loaded() -> None:
    repository = Small()
    handler = KinesisHandler([Words(repository, attempts=1)])
    handler.handle(said(1, "a"))
    assert described(handler.handle(said(2, "bx"))) == [("applied", ""), ("rejected", "no x")]
    assert [each.state for each in repository.scan()] == ["ab"]


def test_other_writers_may_get_in_between_parts_as_often_as_the_projection_says() -> None:
    repository = Small()
    repository.busy_after = 1
    result = KinesisHandler([Words(repository, attempts=2)]).handle(said(1, "abx"))
    assert described(result) == [("failed", "changed by other writers 2 times in a row"), *[HELD_BACK] * 2]
    assert repository.saves == 3


def test_what_waits_stays_where_the_store_refuses_what_it_leads_to() -> None:
    repository, waiting = Small(), said(1, "ax")
    parking = Words(repository, park_after=0)
    parking.fails = True
    noted = KinesisHandler([parking], quarantine=MemoryQuarantine()).handle(waiting)
    [who] = {who for each in noted for who in each.outcome.parked}
    recipients = Recipients(released=who, parked=[position_of(each.record) for each in noted])
    result = KinesisHandler([Words(repository)]).handle(waiting, source=Source.PARKED, recipients=recipients)
    assert described(result) == [("failed", "no x")] * 2
    assert type(next(iter(result)).outcome.error) is RepositoryError
