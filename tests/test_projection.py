"""G2 (order per key), G7 (concurrent writers), and the rule by which each event is applied once, in order."""

import io
import json
from collections.abc import Collection, Sequence
from typing import Any

import pytest
from msgspec import Struct
from msgspec.json import encode

from aggregates import aggregate
from kinesis_handler import (
    BusinessError,
    ConfigurationError,
    Event,
    KinesisHandler,
    Projection,
    Remark,
    Remarked,
    RepositoryError,
)
from kinesis_handler.aggregate import RECENT_EVENT_IDS, Aggregate, Key
from kinesis_handler.batch import Source
from kinesis_handler.errors import UnstorableError
from kinesis_handler.ingest.record import unpack
from kinesis_handler.local.event_source import put_on_shard
from kinesis_handler.outcome import BatchResult, ReaderKey
from kinesis_handler.quarantine.entry import position_of
from kinesis_handler.recipients import Recipients
from kinesis_handler.stores import Change, Loaded, Repository, Saved
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import invocation
from made_events import checked
from testkit.quarantine import MemoryQuarantine


class Added(Struct):
    key: str
    letter: str


class Letters(Projection[str, Added]):
    """Strings the letters of each key together. Some letters have a will of their own."""

    event_types = {"ADDED": Added}

    def key(self, event: Event[Added]) -> Key:
        if event.payload.key == "?":
            raise BusinessError("whose is it?")
        return ("letters", event.payload.key)

    def apply(self, state: str | None, event: Event[Added]) -> str | Remarked[str]:
        letter = checked(event.payload.letter)
        if letter == "0":
            raise ZeroDivisionError("s3cr3t")
        if letter == "~":
            return Remarked((state or "") + letter, (Remark("wavy"),))
        return (state or "") + letter


def added(key: str, letter: str, number: int | None = None, event_id: str | None = None) -> dict[str, Any]:
    event = {
        "eventId": event_id or f"{key}-{letter}-{number}",
        "type": "ADDED",
        "createdAt": 1_700_000_000_000 + (number or 0),
        "payload": {"key": key, "letter": letter},
    }
    return event if number is None else {**event, "sequenceNumber": number}


def stored(repository: Repository[str]) -> dict[str, str]:
    return {aggregate.key[1]: aggregate.state for aggregate in repository.scan()}


def aggregate_of(repository: Repository[str], key: str) -> Aggregate[str]:
    return repository.load([("letters", key)]).found["letters", key]


def statuses(result: BatchResult) -> list[str]:
    return [handled.outcome.status.value for handled in result]


def reasons(result: BatchResult) -> list[str]:
    return [str(handled.outcome.error) for handled in result if handled.outcome.error is not None]


class CountingRepository(MemoryRepository[str]):
    """Counts the calls, and lets another writer in before the first saves."""

    def __init__(self, intruders: int = 0) -> None:
        super().__init__()
        self.intruders = intruders
        self.loaded: list[int] = []
        self.saved: list[int] = []

    def load(self, keys: Collection[Key]) -> Loaded[str]:
        self.loaded.append(len(keys))
        return super().load(keys)

    def save(self, changes: Sequence[Change[str]]) -> Saved:
        self.saved.append(len(changes))
        if self.intruders:
            self.intruders -= 1
            other = KinesisHandler([Letters(MemoryView(self))])
            number = 1_000 - self.intruders
            other(invocation([added(changes[0].key[1], "i", number, f"intruder-{number}")]))
        return super().save(changes)


class MemoryView(MemoryRepository[str]):
    """Another handler's way to the same aggregates, past the counting."""

    def __init__(self, repository: MemoryRepository[str]) -> None:
        super().__init__()
        self._partitions = repository._partitions


def test_a_key_is_read_and_written_once_however_many_events_it_has() -> None:
    repository = CountingRepository()
    events = [added(key, letter, number) for number, letter in enumerate("abc") for key in "xyz"]
    KinesisHandler([Letters(repository)])(invocation(events))
    assert stored(repository) == {"x": "abc", "y": "abc", "z": "abc"}
    assert (repository.loaded, repository.saved) == ([3], [3])


def test_keys_are_loaded_and_saved_in_slices() -> None:
    repository = CountingRepository()
    KinesisHandler([Letters(repository, slice_size=2)])(invocation([added(key, "a") for key in "vwxyz"]))
    assert (repository.loaded, repository.saved) == ([2, 2, 1], [2, 2, 1])


def test_nothing_is_written_where_nothing_was_applied() -> None:
    repository = CountingRepository()
    handler = KinesisHandler([Letters(repository)])
    handler(invocation([added("x", "a", 1)]))
    handler(invocation([added("x", "a", 1)]))
    assert repository.saved == [1]


def test_after_a_failure_later_events_of_the_key_are_held_back_and_other_keys_go_on() -> None:
    repository: MemoryRepository[str] = MemoryRepository()
    events = [
        added("x", "a", 1),
        added("x", "!", 2),
        added("y", "a", 3),
        added("x", "b", 4),
        added("y", "b", 5),
    ]
    result = KinesisHandler([Letters(repository)]).handle(invocation(events))
    assert statuses(result) == ["applied", "failed", "applied", "failed", "applied"]
    assert reasons(result) == ["not now", "an earlier event of the same key failed"]
    assert stored(repository) == {"x": "a", "y": "ab"}


def test_a_rejected_event_lets_the_later_ones_of_its_key_pass() -> None:
    repository: MemoryRepository[str] = MemoryRepository()
    events = [added("x", "a", 1), added("x", "#", 2), added("x", "b", 3)]
    result = KinesisHandler([Letters(repository)]).handle(invocation(events))
    assert statuses(result) == ["applied", "rejected", "applied"]
    assert aggregate_of(repository, "x").version == 2


def test_an_unexpected_error_fails_the_event_and_shows_its_line_but_not_its_text() -> None:
    result = KinesisHandler([Letters(MemoryRepository())]).handle(invocation([added("x", "0")]))
    [reason] = reasons(result)
    assert reason.startswith("ZeroDivisionError raised at test_projection.py:")
    assert "s3cr3t" not in reason


def test_an_event_whose_key_cannot_be_read_fails_alone() -> None:
    repository: MemoryRepository[str] = MemoryRepository()
    result = KinesisHandler([Letters(repository)]).handle(invocation([added("?", "a"), added("x", "a")]))
    assert statuses(result) == ["failed", "applied"]


def test_a_key_that_is_none_is_an_error_that_names_the_projection() -> None:
    class Keyless(Letters):
        def key(self, event: Event[Added]) -> Key:  # noqa: ARG002
            return None  # type: ignore[return-value]

    [reason] = reasons(KinesisHandler([Keyless(MemoryRepository())]).handle(invocation([added("x", "a")])))
    assert "`key` of " in reason
    assert "Keyless returned None" in reason


def test_what_is_rejected_names_the_projection_and_the_key() -> None:
    [handled] = KinesisHandler([Letters(MemoryRepository())]).handle(invocation([added("x", "#")]))
    assert handled.outcome.rejected == (ReaderKey("Letters", ("letters", "x")),)


class Pairs(Letters):
    """Adds each event to two keys."""

    def keys(self, event: Event[Added]) -> list[Key]:
        return [("letters", each) for each in event.payload.key]


@pytest.mark.parametrize("source", [Source.QUARANTINE, Source.STREAM])
def test_a_redriven_event_is_applied_to_the_keys_that_it_is_for_and_one_of_the_stream_to_all(
    source: Source,
) -> None:
    repository: MemoryRepository[str] = MemoryRepository()
    batch = invocation([added("xy", "a")])
    [(record, _)] = unpack(batch["Records"])
    recipients = Recipients(of={position_of(record): (ReaderKey("Pairs", ("letters", "y")),)})
    handler = KinesisHandler([Pairs(repository)])
    handler.handle(batch, source=source, recipients=recipients)
    assert stored(repository) == ({"y": "a"} if source is Source.QUARANTINE else {"x": "a", "y": "a"})


class NoX(MemoryRepository[str]):
    """Stores no x."""

    def save(self, changes: Sequence[Change[str]]) -> Saved:
        good = [each for each in changes if "x" not in (each.after.state or "")]
        saved = super().save(good)
        bad = {each.key for each in changes} - {each.key for each in good}
        saved.failed |= dict.fromkeys(bad, UnstorableError("no x"))
        return saved


def test_keys_of_a_slice_are_saved_in_parts_for_a_rejected_event_and_for_the_store_alike() -> None:
    repository = NoX()
    events = [added("k", "a"), added("k", "#"), added("k", "b"), added("l", "c"), added("l", "x")]
    handler = KinesisHandler([Letters(repository)], quarantine=MemoryQuarantine())
    result = handler.handle(invocation(events))
    assert statuses(result) == ["applied", "rejected", "applied", "applied", "rejected"]
    assert stored(repository) == {"k": "ab", "l": "c"}


def test_a_remark_comes_with_the_outcome_of_its_event() -> None:
    result = KinesisHandler([Letters(MemoryRepository())]).handle(
        invocation([added("x", "~"), added("x", "a")])
    )
    assert [[remark.name for remark in each.outcome.remarks] for each in result] == [["wavy"], []]
    assert result.remarks() == {"wavy": 1}


def test_a_numbered_event_not_above_the_last_is_a_duplicate_or_superseded() -> None:
    repository: MemoryRepository[str] = MemoryRepository()
    events = [
        added("x", "a", 1),
        added("x", "c", 3),
        added("x", "b", 2),
        added("x", "c", 3),
        added("x", "d", 9),
    ]
    result = KinesisHandler([Letters(repository)]).handle(invocation(events))
    assert statuses(result) == ["applied", "applied", "superseded", "duplicate", "applied"]
    assert aggregate_of(repository, "x").state == "acd"


@pytest.mark.parametrize(
    ("first", "last", "number", "warns"),
    [
        ("a", "b", None, True),
        (None, None, None, True),
        ("a", "a", None, False),
        ("a", "b", 2, False),
    ],
    ids=["two partition keys", "no partition key", "one partition key", "two partition keys, and numbers"],
)
def test_events_that_come_in_any_order_are_named_once(
    first: str | None, last: str | None, number: int | None, warns: bool, log_lines: io.StringIO
) -> None:
    handler = KinesisHandler([Letters(MemoryRepository())], quarantine=MemoryQuarantine())
    for letter in "ab":
        records = [
            *invocation([added("x", letter, number)], partition_key=first)["Records"],
            *invocation([added("x", f"{letter}!", number)], partition_key=last)["Records"],
            *invocation([added("y", letter, number)], partition_key="y")["Records"],
        ]
        handler({"Records": records})
    lines = [json.loads(line) for line in log_lines.getvalue().splitlines()]
    warnings = [line for line in lines if line["level"] == "warning" and line["message"] != "record rejected"]
    assert [line["message"] for line in warnings] == ["order not kept"] * warns
    for line in warnings:
        assert (line["projection"], line["component"]) == ("Letters", "projection")
        assert line["event_ids"] == ["x-a-None", "x-a!-None"]
        assert "no producer's number, and not one partition key" in line["detail"]


def test_what_lies_on_another_shard_may_be_superseded() -> None:
    """This is what the warning is about: positions of two shards do not say what was sent first."""
    handler = KinesisHandler([Letters(MemoryRepository())])
    sent_first, sent_last = (
        {"Records": list(put_on_shard([(letter, encode(added("x", letter)))], shard_id=f"shard-{letter}"))}
        for letter in "ab"
    )
    assert statuses(handler.handle(sent_last)) == ["applied"]
    assert statuses(handler.handle(sent_first)) == ["superseded"]


def test_an_event_without_a_number_is_ordered_by_its_record() -> None:
    repository: MemoryRepository[str] = MemoryRepository()
    handler = KinesisHandler([Letters(repository)])
    batch = invocation([added("x", letter) for letter in "abc"])
    handler(batch)
    assert statuses(handler.handle(batch)) == ["duplicate"] * 3
    assert aggregate_of(repository, "x").state == "abc"


@pytest.mark.parametrize("between", [0, 1, RECENT_EVENT_IDS - 1])
def test_a_repeat_by_the_producer_is_recognised_by_its_id_among_the_last_sixteen(between: int) -> None:
    repository: MemoryRepository[str] = MemoryRepository()
    events = [added("x", "a"), *(added("x", "b", event_id=f"b{n}") for n in range(between)), added("x", "a")]
    result = KinesisHandler([Letters(repository)]).handle(invocation(events))
    assert statuses(result)[-1] == "duplicate"
    assert aggregate_of(repository, "x").version == between + 1


@pytest.mark.parametrize("recent", [1, 5, 40, 1_000])
def test_as_many_ids_are_remembered_as_the_projection_says(recent: int) -> None:
    events = [added("x", "a", event_id=f"{n}") for n in range(recent + 1)]
    for sent_again in (events[-recent:], events):
        repository: MemoryRepository[str] = MemoryRepository()
        projection = Letters(repository, recent_event_ids=recent)
        result = KinesisHandler([projection]).handle(invocation([*events, *sent_again]))
        assert len(aggregate_of(repository, "x").recent_event_ids) == recent
        again = statuses(result)[len(events) :]
        assert set(again) == ({"duplicate"} if len(sent_again) == recent else {"applied"})


def test_a_chunk_that_its_producer_sends_again_is_not_counted_twice_if_all_its_ids_are_remembered() -> None:
    chunk = [("k", json.dumps(added("x", "a", event_id=f"{n}")).encode()) for n in range(40)]
    records = list(put_on_shard([*chunk, *chunk]))
    for recent, length in ((16, 80), (40, 40)):
        repository: MemoryRepository[str] = MemoryRepository()
        KinesisHandler([Letters(repository, recent_event_ids=recent)])({"Records": records})
        assert aggregate_of(repository, "x").state == "a" * length


@pytest.mark.parametrize(("before", "since"), [(3, 8), (8, 3)])
def test_an_aggregate_stored_with_more_ids_or_fewer_than_are_remembered_now_goes_on(
    before: int, since: int
) -> None:
    repository: MemoryRepository[str] = MemoryRepository()
    records = invocation([added("x", "a", event_id=f"{n % 12}") for n in range(24)])["Records"]
    KinesisHandler([Letters(repository, recent_event_ids=before)])({"Records": records[:10]})
    assert len(aggregate_of(repository, "x").recent_event_ids) == before
    handler = KinesisHandler([Letters(repository, recent_event_ids=since)])
    assert statuses(handler.handle({"Records": records[7:12]})) == ["duplicate"] * 3 + ["applied"] * 2
    found = aggregate_of(repository, "x")
    assert (found.version, len(found.recent_event_ids)) == (12, min(before + 2, since))


@pytest.mark.parametrize("number", [-1, 0, 1_001])
def test_a_number_of_ids_that_cannot_be_is_an_error(number: int) -> None:
    with pytest.raises(ConfigurationError, match=f"recent_event_ids is {number}; allowed: from 1 to 1,000"):
        Letters(MemoryRepository(), recent_event_ids=number)


def test_what_is_recognised_does_not_depend_on_how_the_stream_is_cut() -> None:
    events = [added("x", "a"), *(added("x", "b", event_id=f"b{n}") for n in range(16)), added("x", "a")]
    records = invocation(events)["Records"]
    whole: MemoryRepository[str] = MemoryRepository()
    KinesisHandler([Letters(whole)])({"Records": records})
    cut: MemoryRepository[str] = MemoryRepository()
    for record in records:
        KinesisHandler([Letters(cut)])({"Records": [record]})
    assert aggregate_of(whole, "x") == aggregate_of(cut, "x")


def test_the_version_counts_the_applied_events_and_the_time_is_that_of_the_last() -> None:
    repository: MemoryRepository[str] = MemoryRepository()
    KinesisHandler([Letters(repository)])(
        invocation([added("x", letter, n) for n, letter in enumerate("abca")])
    )
    aggregate = aggregate_of(repository, "x")
    assert (aggregate.version, aggregate.updated_at) == (4, 1_700_000_000_003)


@pytest.mark.parametrize("not_applied", [("#", 9), ("!", 9), ("b", 1), ("a", 2)])
def test_an_event_that_was_not_applied_leaves_the_time_of_the_last_that_was(
    not_applied: tuple[str, int],
) -> None:
    letter, number = not_applied
    repository: MemoryRepository[str] = MemoryRepository()
    late = {**added("x", letter, number), "createdAt": 1_700_000_000_999}
    KinesisHandler([Letters(repository)])(invocation([added("x", "a", 2), late]))
    aggregate = aggregate_of(repository, "x")
    assert (aggregate.state, aggregate.updated_at) == ("a", 1_700_000_000_002)


def test_an_event_without_a_number_leaves_the_highest_number_known() -> None:
    repository: MemoryRepository[str] = MemoryRepository()
    events = [added("x", "a", 5), added("x", "b"), added("x", "c", 3)]
    result = KinesisHandler([Letters(repository)]).handle(invocation(events))
    assert statuses(result) == ["applied", "applied", "superseded"]
    assert aggregate_of(repository, "x").sequence_number == 5


def test_events_of_one_record_that_comes_again_are_not_new_however_many_there_are() -> None:
    repository: MemoryRepository[str] = MemoryRepository()
    letters = "abcdefghijklmnopqrstuvwxyz"
    whole = aggregate(("x", None, encode(added("x", letter))) for letter in letters)
    batch = invocation([whole])
    KinesisHandler([Letters(repository)])(batch)
    before = aggregate_of(repository, "x")
    assert before.state == letters
    again = KinesisHandler([Letters(repository)]).handle(batch)
    assert set(statuses(again)) == {"superseded", "duplicate"}
    assert aggregate_of(repository, "x") == before


def test_an_event_without_a_number_is_not_new_behind_one_of_a_later_record() -> None:
    repository: MemoryRepository[str] = MemoryRepository()
    batch = invocation([added("x", "a"), added("x", "b")])
    result = KinesisHandler([Letters(repository)]).handle({"Records": batch["Records"][::-1]})
    assert statuses(result) == ["applied", "superseded"]
    assert stored(repository) == {"x": "b"}


@pytest.mark.parametrize("numbered", [True, False])
def test_an_aggregate_remembers_the_ids_of_the_last_sixteen_events_and_no_more(*, numbered: bool) -> None:
    repository: MemoryRepository[str] = MemoryRepository()
    events = [added("x", "a", n if numbered else None, f"e{n}") for n in range(RECENT_EVENT_IDS + 5)]
    KinesisHandler([Letters(repository)])(invocation(events))
    ids = aggregate_of(repository, "x").recent_event_ids
    assert ids == tuple(f"e{n}" for n in range(5, RECENT_EVENT_IDS + 5))


def test_when_another_writer_gets_in_between_the_key_is_folded_again() -> None:
    repository = CountingRepository(intruders=2)
    events = [added("x", "a", 2_000), added("y", "b", 1)]
    result = KinesisHandler([Letters(repository)]).handle(invocation(events))
    assert statuses(result) == ["applied", "applied"]
    assert stored(repository) == {"x": "iia", "y": "b"}
    assert repository.loaded == [2, 1, 1]


def test_a_key_that_others_keep_changing_fails_in_the_end_and_nothing_of_it_is_lost() -> None:
    repository = CountingRepository(intruders=5)
    events = [added("x", "a", 2_000), added("x", "b", 2_001)]
    result = KinesisHandler([Letters(repository, attempts=5)]).handle(invocation(events))
    assert statuses(result) == ["failed", "failed"]
    assert reasons(result)[0] == "changed by other writers 5 times in a row"
    assert stored(repository) == {"x": "iiiii"}


class BrokenRepository(MemoryRepository[str]):
    """Cannot read some keys, and cannot write some others."""

    def load(self, keys: Collection[Key]) -> Loaded[str]:
        loaded = super().load(keys)
        loaded.failed = {key: RepositoryError("unreadable") for key in keys if key[1] == "unreadable"}
        return loaded

    def save(self, changes: Sequence[Change[str]]) -> Saved:
        saved = super().save([change for change in changes if change.key[1] != "unwritable"])
        saved.failed = {
            change.key: RepositoryError("unwritable") for change in changes if change.key[1] == "unwritable"
        }
        return saved


def test_a_key_that_cannot_be_read_or_written_fails_and_keeps_no_other_from_being_saved() -> None:
    repository = BrokenRepository()
    events = [added("unreadable", "a"), added("unwritable", "a"), added("unwritable", "b"), added("x", "a")]
    result = KinesisHandler([Letters(repository)]).handle(invocation(events))
    assert statuses(result) == ["failed", "failed", "failed", "applied"]
    assert reasons(result) == ["unreadable", "unwritable", "an earlier event of the same key failed"]
    assert stored(repository) == {"x": "a"}


def test_what_was_known_before_stays_known_when_the_rest_of_its_key_cannot_be_written() -> None:
    repository = BrokenRepository()
    MemoryRepository.save(repository, [Change(None, after_one_event("unwritable"))])
    events = [added("unwritable", "a", 1), added("unwritable", "b", 2), added("unwritable", "a", 1)]
    result = KinesisHandler([Letters(repository)]).handle(invocation(events))
    assert statuses(result) == ["duplicate", "failed", "failed"]


def after_one_event(key: str) -> Aggregate[str]:
    repository: MemoryRepository[str] = MemoryRepository()
    KinesisHandler([Letters(repository)])(invocation([added(key, "a", 1)]))
    return aggregate_of(repository, key)


@pytest.mark.parametrize("numbers", [{"slice_size": 0}, {"attempts": 0}])
def test_a_projection_that_could_do_nothing_is_an_error(numbers: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match="from 1 up"):
        Letters(MemoryRepository(), **numbers)


class DownRepository(MemoryRepository[str]):
    """Raises once, then is well."""

    def load(self, keys: Collection[Key]) -> Loaded[str]:
        if ("letters", "x") in keys:
            raise ConnectionError("s3cr3t")
        return super().load(keys)


def test_a_store_that_raises_fails_its_slice_and_no_other() -> None:
    repository = DownRepository()
    result = KinesisHandler([Letters(repository, slice_size=1)]).handle(
        invocation([added("w", "a"), added("x", "a"), added("y", "a")])
    )
    assert statuses(result) == ["applied", "failed", "applied"]
