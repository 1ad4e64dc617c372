"""Saving in parts what cannot be saved together: what is tried, given up, and left for later."""

from collections.abc import Collection, Mapping, Sequence

import pytest

from kinesis_handler import Aggregate, Event, Key, RepositoryError
from kinesis_handler.batch import Batch
from kinesis_handler.deadline import Deadline, within
from kinesis_handler.errors import ProcessingError, UnstorableError
from kinesis_handler.fold import Rules, fold
from kinesis_handler.outcome import Outcome, ReaderKey
from kinesis_handler.partial_save import PartialSave
from kinesis_handler.quarantine.entry import decode_entries
from kinesis_handler.results import StateCheck
from kinesis_handler.stores import Change, Loaded, Saved
from kinesis_handler.stores.memory import MemoryRepository
from made_events import KEY, checked, event
from testkit.quarantine import MemoryQuarantine

TOO_LARGE = UnstorableError("too large")


class Small(MemoryRepository[str]):
    """Stores texts without an x; other writers get in between, and it is down, as a test says."""

    def __init__(self, *, knows: bool = False) -> None:
        super().__init__()
        self._knows = knows
        self.tried: list[str | None] = []
        self.intruders = 0
        self.down_at: str | None = None
        self.taken_at: str | None = None
        self.unreadable = False

    def refusal(self, aggregate: Aggregate[str | None]) -> UnstorableError | None:
        return TOO_LARGE if self._knows and "x" in (aggregate.state or "") else None

    def load(self, keys: Collection[Key]) -> Loaded[str]:
        if self.unreadable:
            return Loaded({}, dict.fromkeys(keys, RepositoryError("unreadable")))
        return super().load(keys)

    def save(self, changes: Sequence[Change[str]]) -> Saved:
        [change] = changes
        self.tried.append(change.after.state)
        if self.intruders:
            self.intruders -= 1
            return Saved(conflicts={change.key})
        if change.after.state == self.taken_at:
            self.taken_at = None
            return Saved(conflicts={change.key})
        if "x" in (change.after.state or ""):
            return Saved(failed={change.key: TOO_LARGE})
        if change.after.state == self.down_at:
            return Saved(failed={change.key: RepositoryError("down")})
        return super().save(changes)


def apply(state: str | None, event: Event[str]) -> str:
    return (state or "") + checked(event.payload)[0]


RULES = Rules(apply, StateCheck("Letters", str))


def save(
    repository: Small,
    letters: str,
    *,
    attempts: int = 3,
    batch: Batch | None = None,
    error: ProcessingError | None = TOO_LARGE,
) -> list[tuple[str, str]]:
    """Fold and save one event for each letter; return the status of each, and the text of its error."""
    parts: PartialSave[str, str] = PartialSave(
        repository,
        lambda before, key, events: fold(before, key, events, RULES),
        repository.save,
        attempts,
        batch if batch is not None else Batch(),
    )
    events = [event(f"{letter}{number}", (number + 1, 0)) for number, letter in enumerate(letters)]
    outcomes = parts.save(None, KEY, events, error)
    return [described(outcome) for outcome in outcomes]


def described(outcome: Outcome) -> tuple[str, str]:
    return outcome.status.value, str(outcome.error) if outcome.error is not None else ""


def stored(repository: Small) -> list[str]:
    return [each.state for each in repository.scan()]


APPLIED, REJECTED, HELD_BACK = (
    ("applied", ""),
    ("rejected", "too large"),
    ("failed", "an earlier event of the same key failed"),
)
LATE = ("failed", "the deadline of the invocation came near")


@pytest.mark.parametrize("knows", [False, True])
def test_what_does_not_fit_is_rejected_and_all_before_and_behind_it_is_saved(*, knows: bool) -> None:
    repository = Small(knows=knows)
    assert save(repository, "abxcxd") == [APPLIED, APPLIED, REJECTED, APPLIED, REJECTED, APPLIED]
    assert stored(repository) == ["abcd"]
    if knows:
        assert repository.tried == ["ab", "abc", "abcd"]


def test_an_event_that_is_rejected_by_the_projection_keeps_its_own_reason() -> None:
    repository = Small()
    assert save(repository, "#xa#") == [("rejected", "never"), REJECTED, APPLIED, ("rejected", "never")]
    assert stored(repository) == ["a"]


@pytest.mark.parametrize("knows", [False, True])
def test_what_is_rejected_is_in_the_quarantine_before_what_lies_behind_it_is_saved(*, knows: bool) -> None:
    repository, quarantine = Small(knows=knows), MemoryQuarantine()
    seen: list[list[str]] = []
    quarantine.before = lambda _: seen.append(stored(repository))
    save(repository, "a#xb#c", batch=Batch(quarantine=quarantine))
    assert stored(repository) == ["abc"]
    assert seen
    assert all(state != ["abc"] for state in seen)
    entries = [each for content in quarantine.objects.values() for each in decode_entries(content)]
    assert {entry.sequence_number for entry in entries} == {"2", "3", "5"}


def test_what_is_rejected_behind_a_change_is_quarantined_when_that_is_saved_and_names_its_key() -> None:
    repository, quarantine = Small(), MemoryQuarantine()
    seen: list[list[str]] = []
    quarantine.before = lambda _: seen.append(stored(repository))
    batch = Batch(quarantine=quarantine)
    batch.reader = "Letters"
    save(repository, "a#b#c", batch=batch, error=None)
    assert repository.tried == ["a", "ab", "abc"]
    assert seen == [["a"], ["ab"]]
    entries = [each for content in quarantine.objects.values() for each in decode_entries(content)]
    assert [entry.rejected for entry in entries] == [(ReaderKey("Letters", KEY),)] * 2


def test_where_it_is_not_known_why_they_cannot_be_saved_together_that_is_tried_first() -> None:
    repository = Small()
    assert save(repository, "abcd", error=None) == [APPLIED] * 4
    assert repository.tried == ["abcd"]


class Noting(Batch):
    """Notes what is quarantined at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.quarantined: list[list[str]] = []

    def quarantine(self, outcomes: Mapping[Event[str], Outcome]) -> None:
        self.quarantined.append([each.id for each in outcomes])


@pytest.mark.parametrize(
    ("letters", "quarantined"),
    [("x#a", [["x0", "#1"]]), ("ax##bxc", [["x1", "#2", "#3"], ["x5"]]), ("#ax", [["#0"]])],
)
def test_all_that_was_rejected_since_the_last_save_is_quarantined_before_the_next(
    letters: str, quarantined: list[list[str]]
) -> None:
    batch = Noting()
    save(Small(knows=True), letters, batch=batch)
    assert batch.quarantined == quarantined


def test_where_nothing_is_applied_behind_what_is_stored_nothing_is_saved() -> None:
    repository = Small(knows=True)
    assert save(repository, "ax#") == [APPLIED, REJECTED, ("rejected", "never")]
    assert repository.tried == ["a"]


def test_where_nothing_lies_behind_what_is_rejected_the_handler_puts_it_there() -> None:
    quarantine = MemoryQuarantine()
    assert save(Small(), "ax", batch=Batch(quarantine=quarantine)) == [APPLIED, REJECTED]
    assert not quarantine.objects


def test_behind_an_event_that_fails_all_are_held_back() -> None:
    repository = Small()
    assert save(repository, "ax!bc") == [APPLIED, REJECTED, ("failed", "not now"), HELD_BACK, HELD_BACK]
    assert stored(repository) == ["a"]


def test_where_the_store_fails_what_lies_behind_is_held_back() -> None:
    repository = Small()
    repository.down_at = "ab"
    assert save(repository, "axbcd") == [APPLIED, REJECTED, ("failed", "down"), HELD_BACK, HELD_BACK]
    assert stored(repository) == ["a"]


@pytest.mark.parametrize(("intruders", "applied"), [(1, True), (2, True), (3, False)])
def test_other_writers_may_get_in_between_less_often_than_there_are_attempts(
    intruders: int, *, applied: bool
) -> None:
    repository = Small()
    repository.intruders = intruders
    found = save(repository, "abc", attempts=3)
    if applied:
        assert found == [APPLIED] * 3
        assert stored(repository) == ["abc"]
    else:
        assert found == [("failed", "changed by other writers 3 times in a row"), HELD_BACK, HELD_BACK]
        assert len(repository.tried) == 3


def test_behind_another_writer_it_goes_on_from_what_is_stored_by_then() -> None:
    repository = Small()
    repository.taken_at = "ab"
    assert save(repository, "axbc") == [APPLIED, REJECTED, APPLIED, APPLIED]
    assert stored(repository) == ["abc"]


def test_a_key_that_cannot_be_read_again_fails_for_that() -> None:
    repository = Small()
    repository.intruders, repository.unreadable = 1, True
    assert save(repository, "abc") == [("failed", "unreadable"), HELD_BACK, HELD_BACK]
    assert not stored(repository)


def test_near_the_deadline_one_more_event_is_tried_and_the_rest_is_left() -> None:
    repository = Small()
    with within(Deadline(lambda: 0)):
        assert save(repository, "abc") == [APPLIED, LATE, HELD_BACK]
    assert stored(repository) == ["a"]


def test_what_is_done_when_the_deadline_comes_stays_done() -> None:
    repository, looks = Small(), iter([1, 0])
    with within(Deadline(lambda: next(looks))):
        found = save(repository, "abcdefgh")
    assert found[0] == APPLIED
    assert found.count(LATE) == 1
    assert found[found.index(LATE) + 1 :] == [HELD_BACK] * (7 - found.index(LATE))
    assert stored(repository) == ["abcdefgh"[: found.index(LATE)]]
