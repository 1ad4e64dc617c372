"""Provides the states that the laws of a repository save and read."""

from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import UnstorableError
from kinesis_handler.stores import Change, Repository, Saved, pages_of


class LawState(Struct, frozen=True):
    """The state of the laws, with values that are difficult for a store."""

    count: int = 0
    amount: Decimal = Decimal(0)
    note: str | None = None
    tags: tuple[str, ...] = ()
    ratio: float | None = None


LawRepository = Repository[LawState]


def aggregate(key: Key, version: int = 1, **state: Any) -> Aggregate[LawState]:
    """Return an aggregate with a state, as after a fold of `version` events."""
    return Aggregate(
        key=key,
        state=LawState(**state),
        version=version,
        updated_at=1_700_000_000_000 + version,
        sequence_number=version,
        record_sequence_number=f"496{version:053d}",
        record_sub_sequence_number=0,
        recent_event_ids=tuple(f"event-{number}" for number in range(version)),
    )


def after(before: Aggregate[LawState | None], **state: Any) -> Change[LawState]:
    """Return a change of an aggregate by one event."""
    changed = replace(before, version=before.version + 1, state=replace(before.state or LawState(), **state))
    return Change(before, changed)


def insert(repository: LawRepository, *aggregates: Aggregate[LawState | None]) -> None:
    """Save new aggregates, and assert that they were saved."""
    saved = repository.save([Change(None, each) for each in aggregates])
    assert not saved.conflicts
    assert not saved.failed


def assert_unstorable(saved: Saved, keys: set[Key]) -> None:
    """Assert that the changes of these keys are unstorable, and that no other failed."""
    assert {key: type(error) for key, error in saved.failed.items()} == dict.fromkeys(keys, UnstorableError)
    assert not saved.conflicts


def load(repository: LawRepository, key: Key) -> Aggregate[LawState] | None:
    """Load one aggregate, and assert that nothing failed."""
    loaded = repository.load([key])
    assert not loaded.failed
    return loaded.found.get(key)


def amount_of(found: Aggregate[LawState] | None) -> Decimal:
    """Return the amount of an aggregate, and assert that it was found."""
    assert found is not None
    return found.state.amount


def find_all(repository: LawRepository, partition: str, limit: int) -> list[Aggregate[LawState]]:
    """Read a partition page by page."""
    pages = list(pages_of(repository, partition, limit))
    assert all(len(page.aggregates) <= limit for page in pages)
    return [each for page in pages for each in page.aggregates]
