"""G5: what is rejected is in the quarantine before anything behind it is saved, and after all before it is.

Were what lies behind it saved first, a delivery that comes again would find the rejected event superseded,
and forget it. Were what lies before it saved later, a redrive in between would apply the event too soon.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import Struct

from kinesis_handler import Event, Key, KinesisHandler, Projection, RejectedError
from kinesis_handler.errors import QuarantineError, UnstorableError
from kinesis_handler.outcome import BatchResult
from kinesis_handler.quarantine.entry import decode_entries
from kinesis_handler.stores import Change, Saved
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import invocation


class Added(Struct):
    key: str
    letter: str


class Letters(Projection[str, Added]):
    """Strings letters together, but never a `#`, and a `?` only behind an `L`."""

    event_types = {"ADDED": Added}

    def key(self, event: Event[Added]) -> Key:
        return "letters", event.payload.key

    def apply(self, state: str | None, event: Event[Added]) -> str:
        letter = event.payload.letter
        if letter == "#" or (letter == "?" and "L" not in (state or "")):
            raise RejectedError("never")
        return (state or "") + letter


class Store(MemoryRepository[str]):
    """Writes down each save, and cannot store an `L`."""

    def __init__(self, journal: list[str]) -> None:
        super().__init__()
        self.journal = journal
        self.conflicts = 0

    def save(self, changes: Sequence[Change[str]]) -> Saved:
        if self.conflicts:
            self.conflicts -= 1
            return Saved(conflicts={change.key for change in changes})
        storable = [change for change in changes if "L" not in (change.after.state or "")]
        saved = super().save(storable)
        saved.failed |= {each.key: UnstorableError("too long") for each in changes if each not in storable}
        self.journal += [f"save {change.after.state}" for change in storable]
        return saved

    def states(self) -> dict[str, str]:
        return {each.key[1]: each.state for each in self.scan()}


class Quarantine:
    """Writes down the ids of what it takes; it is down for the first `outages` objects."""

    def __init__(self, journal: list[str], outages: int = 0) -> None:
        self.journal = journal
        self.outages = outages
        self.ids: set[str | None] = set()

    def keep(self, name: str, content: bytes) -> None:  # noqa: ARG002 - what is in it is what counts
        if self.outages:
            self.outages -= 1
            raise QuarantineError("down")
        ids = [entry.event_id for entry in decode_entries(content)]
        self.ids.update(ids)
        self.journal.append(f"quarantine {' '.join(map(str, ids))}")


def added(letters: str, key: str = "x") -> list[dict[str, Any]]:
    """Return an event for each letter, numbered from 1."""
    return [
        {
            "eventId": f"{key}{number}",
            "type": "ADDED",
            "createdAt": number,
            "sequenceNumber": number,
            "payload": {"key": key, "letter": letter},
        }
        for number, letter in enumerate(letters, start=1)
    ]


def statuses(result: BatchResult) -> list[str]:
    return [handled.outcome.status.value for handled in result]


@pytest.fixture
def journal() -> list[str]:
    return []


@pytest.fixture
def store(journal: list[str]) -> Store:
    return Store(journal)


@pytest.mark.parametrize("letters", ["a#b", "aLb"], ids=["its fold rejects it", "it cannot be stored"])
def test_what_is_rejected_is_in_the_quarantine_before_what_lies_behind_it_is_saved(
    store: Store, journal: list[str], letters: str
) -> None:
    handler = KinesisHandler([Letters(store)], quarantine=Quarantine(journal))
    result = handler.handle(invocation(added(letters)))
    assert statuses(result) == ["applied", "rejected", "applied"]
    assert journal.index("quarantine x2") < journal.index("save ab")


@pytest.mark.parametrize(
    ("letters", "saved_before"),
    [("#b", {}), ("a#b", {"x": "a"}), ("aLb", {"x": "a"})],
    ids=["its fold rejects the first", "its fold rejects it", "it cannot be stored"],
)
def test_while_the_quarantine_is_down_nothing_behind_a_rejected_event_is_saved(
    store: Store, journal: list[str], letters: str, saved_before: dict[str, str]
) -> None:
    quarantine = Quarantine(journal, outages=1)
    handler = KinesisHandler([Letters(store)], quarantine=quarantine)
    batch = invocation(added(letters))
    assert "applied" not in statuses(handler.handle(batch))
    assert store.states() == saved_before
    assert statuses(handler.handle(batch))[-2:] == ["rejected", "applied"]
    assert quarantine.ids == {f"x{len(letters) - 1}"}
    assert store.states() == {"x": letters[:-2] + letters[-1]}


def test_while_the_quarantine_is_down_no_further_slice_is_begun(store: Store, journal: list[str]) -> None:
    handler = KinesisHandler([Letters(store, slice_size=1)], quarantine=Quarantine(journal, outages=1))
    result = handler.handle(invocation([*added("a", "w"), *added("a#b"), *added("a", "y")]))
    assert statuses(result) == ["applied", *["failed"] * 4]
    assert {type(handled.outcome.error) for handled in result} == {type(None), QuarantineError}
    assert store.states() == {"w": "a", "x": "a"}


def test_what_is_rejected_of_each_key_of_a_slice_is_in_the_quarantine_before_any_is_saved(
    store: Store, journal: list[str]
) -> None:
    handler = KinesisHandler([Letters(store)], quarantine=Quarantine(journal))
    handler.handle(invocation([*added("#b", "x"), *added("#c", "y")]))
    assert journal[:3] == ["quarantine x1 y1", "save b", "save c"]


@pytest.mark.parametrize("letters", ["a#b", "a##b#c", "#a#", "ab#L?c"])
def test_what_lies_before_a_rejected_event_is_saved_before_that_may_be_redriven(
    store: Store, journal: list[str], letters: str
) -> None:
    handler = KinesisHandler([Letters(store)], quarantine=Quarantine(journal))
    handler.handle(invocation(added(letters)))
    for number, letter in enumerate(letters, start=1):
        if letter in "#L?":
            kept = next(at for at, each in enumerate(journal) if f"x{number}" in each.split())
            before = "".join(each for each in letters[: number - 1] if each not in "#L?")
            assert not before or f"save {before}" in journal[:kept], journal


def test_what_is_rejected_when_a_key_is_folded_again_is_in_the_quarantine_too(
    store: Store, journal: list[str]
) -> None:
    store.conflicts = 1
    quarantine = Quarantine(journal)
    handler = KinesisHandler([Letters(store)], quarantine=quarantine)
    assert statuses(handler.handle(invocation(added("a#b")))) == ["applied", "rejected", "applied"]
    assert quarantine.ids == {"x2"}
    assert store.states() == {"x": "ab"}


@pytest.mark.parametrize("letters", ["aL?b", "aLbc?d"], ids=["a part by itself", "the end of a part"])
def test_what_is_rejected_only_without_what_cannot_be_stored_is_in_the_quarantine_before_what_lies_behind_it(
    store: Store, journal: list[str], letters: str
) -> None:
    quarantine = Quarantine(journal)
    result = KinesisHandler([Letters(store)], quarantine=quarantine).handle(invocation(added(letters)))
    expected = ["rejected" if letter in "L?" else "applied" for letter in letters]
    assert statuses(result) == expected
    at = f"x{letters.index('?') + 1}"
    kept = [place for place, each in enumerate(journal) if each.startswith("quarantine") and at in each]
    assert kept[0] < journal.index("save " + letters.replace("L", "").replace("?", "")), journal


def test_a_rejected_event_that_could_not_be_kept_fails_with_all_others_that_were_rejected(
    store: Store, journal: list[str]
) -> None:
    quarantine = Quarantine(journal, outages=1)
    handler = KinesisHandler([Letters(store)], quarantine=quarantine)
    batch = invocation([*added("#", "x"), b"{", *added("#", "y"), *added("a", "z")])
    assert statuses(handler.handle(batch)) == ["failed", "failed", "failed", "applied"]
    assert statuses(handler.handle(batch)) == ["rejected", "rejected", "rejected", "duplicate"]
    assert quarantine.ids == {"x1", None, "y1"}
