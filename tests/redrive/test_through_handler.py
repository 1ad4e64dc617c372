"""Back through the handler: in the order of the stream, and what fails again stays."""

import pytest

from aggregates import aggregate
from kinesis_handler import KinesisHandler
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.redrive import Redrive
from kinesis_handler.local.redrive.through_handler import ThroughHandler
from kinesis_handler.local.redrive.verdicts import TOO_LATE
from kinesis_handler.quarantine import ReadableQuarantine
from kinesis_handler.quarantine.contents import DONE, read_contents, waiting_in
from kinesis_handler.stores.memory import MemoryRepository
from redrive.documents import KEY, whole
from redrive.waiting import (
    STREAM,
    FailingProcessor,
    StrictProcessor,
    clean_pass,
    created,
    data_of,
    deliver,
    done_of,
    give_up,
    left_of,
    on_shard,
    open_in,
    place_of,
    progress,
    redrive,
    repository,
    results_of,
    state_of,
    through_handler,
)
from testkit.quarantine import MemoryQuarantine
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

HELD_BACK_IN_BATCH = "an earlier event of the same key failed"
HELD_BACK = "an earlier record of the same partition key failed again"


def reasons(quarantine: ReadableQuarantine) -> set[str]:
    return {entry.reason for _, _, entry in waiting_in([read_contents(quarantine)]).values()}


def test_what_was_rejected_goes_through_when_the_schema_has_been_mended(quarantine: MemoryQuarantine) -> None:
    store = repository()
    records = on_shard([created("e1"), created("e2", "ben")])
    deliver(KinesisHandler([StrictProcessor(store)], quarantine=quarantine), records, quarantine)
    assert (state_of(store), open_in(quarantine)) == ({}, [0, 1])
    sent = redrive(through_handler(store, quarantine), quarantine)
    assert (done_of(sent), left_of(sent)) == ([0, 1], [])
    assert state_of(store) == clean_pass(records)
    assert open_in(quarantine) == []
    assert redrive(through_handler(store, quarantine), quarantine) == []


def test_a_rejected_creation_and_the_failed_changes_behind_it_are_applied_in_their_order(
    kept: ReadableQuarantine,
) -> None:
    reject_and_redrive(kept, bisect=False, batch_size=100)


@pytest.mark.parametrize("batch_size", [1, 2, 100])
@pytest.mark.parametrize("bisect", [False, True])
def test_they_are_in_whatever_batches_they_were_given_up_and_are_sent_again(
    quarantine: MemoryQuarantine, batch_size: int, *, bisect: bool
) -> None:
    reject_and_redrive(quarantine, bisect=bisect, batch_size=batch_size)


def reject_and_redrive(kept: ReadableQuarantine, *, bisect: bool, batch_size: int) -> None:
    store = repository()
    records = on_shard(
        [
            created("e1"),
            created("e2", "ben", brandId="b"),
            progress("e3", 5),
            progress("e4", 1, "ben"),
            progress("e5", -2),
            created("e6"),
            progress("e7", 7),
        ]
    )
    handler = KinesisHandler([StrictProcessor(store)], quarantine=kept)
    deliver(handler, records, kept, batch_size=2, bisect=bisect)
    assert set(state_of(store)) == {("ben", "bet")}
    assert set(open_in(kept)) >= {0, 2, 4, 5, 6}
    names = list(kept.names())
    assert any(name.endswith(".on-failure.json") for name in names)
    assert any(name.endswith(".jsonl") for name in names)
    sent = redrive(through_handler(store, kept, batch_size=batch_size), kept)
    assert left_of(sent) == []
    assert done_of(sent) == sorted(done_of(sent))
    assert state_of(store) == clean_pass(records)
    assert open_in(kept) == []


def test_what_waits_in_two_places_goes_in_the_order_of_the_stream() -> None:
    quarantine, on_failure, store = MemoryQuarantine(), MemoryQuarantine(), repository()
    records = on_shard([created("e1"), progress("e2", 5), created("e3"), progress("e4", 7)])
    rejects = KinesisHandler([StrictProcessor(repository())], quarantine=quarantine)
    rejects({"Records": [records[0], records[2]]})
    on_failure.keep(KEY, whole([records[1], records[3]]))
    sent = redrive(through_handler(store, quarantine, batch_size=3), quarantine, on_failure)
    assert done_of(sent) == [0, 1, 2, 3]
    assert state_of(store) == clean_pass(records)
    assert (open_in(quarantine), open_in(on_failure)) == ([], [])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_record_in_two_places_is_done_with_in_both(order: tuple[int, int]) -> None:
    places = MemoryQuarantine(), MemoryQuarantine()
    for each in places:
        each.keep(KEY, whole(on_shard([created("e1")])))
    store = repository()
    read = [places[place] for place in order]
    assert done_of(redrive(through_handler(store, places[0]), *read)) == [0]
    assert (open_in(*places), redrive(through_handler(store, places[0]), *read)) == ([], [])


def test_a_shard_that_was_split_goes_before_its_children(quarantine: MemoryQuarantine) -> None:
    store, child = repository(), "shardId-000000000001"
    records = [*on_shard([created("e1")]), *on_shard([progress("e2", 5)], first=1, shard=child)]
    for each in reversed(records):
        give_up(quarantine, [each])
    assert done_of(redrive(through_handler(store, quarantine, batch_size=1), quarantine)) == [0, 1]
    assert state_of(store) == clean_pass(records)


def test_what_is_rejected_again_stays_and_why_is_reported(quarantine: MemoryQuarantine) -> None:
    records = on_shard([b"{", created("e1")])
    KinesisHandler([StrictProcessor(repository())], quarantine=quarantine)({"Records": records})
    [(name, content)] = quarantine.objects.items()
    quarantine.keep(name, content.replace(b"Input data was truncated", b"Long ago"))
    sent = redrive(through_handler(repository(), quarantine), quarantine)
    assert (done_of(sent), left_of(sent)) == ([1], [(0, "Input data was truncated - at `$`")])
    assert open_in(quarantine) == [0]
    assert [each for each in quarantine.objects if not each.startswith(DONE)] == [name], (
        "it is not kept twice"
    )


def test_what_is_rejected_again_takes_nothing_with_it_out_of_its_object(
    quarantine: MemoryQuarantine,
) -> None:
    records = on_shard([b"{", created("e1"), b"[", created("e2", "ben")])
    KinesisHandler([StrictProcessor(repository())], quarantine=quarantine)({"Records": records})
    assert len(quarantine.objects) == 1
    way = through_handler(repository(), quarantine)
    redrive(way, quarantine, chosen=lambda entry: place_of(entry) == 0)  # as by --reason
    assert open_in(quarantine) == [0, 1, 2, 3]


def test_what_fails_behind_what_is_rejected_again_is_not_forgotten(quarantine: MemoryQuarantine) -> None:
    store = repository()
    records = on_shard([b"{", created("e1"), progress("e2", 5)])
    KinesisHandler([StrictProcessor(store)], quarantine=quarantine)({"Records": records[:2]})
    give_up(quarantine, records[2:])
    failing = FailingProcessor(store, "e1")
    for _ in range(2):
        sent = redrive(through_handler(store, quarantine, failing), quarantine)
        assert [place for place, _ in left_of(sent)] == [0, 1, 2]
        assert open_in(quarantine) == [0, 1, 2]
    failing.failing.clear()
    redrive(through_handler(store, quarantine, failing), quarantine)
    assert state_of(store) == clean_pass(records)
    assert open_in(quarantine) == [0]


def test_who_is_interrupted_when_a_first_batch_was_rejected_again_forgets_none_of_the_second(
    quarantine: MemoryQuarantine,
) -> None:
    records = on_shard([b"{", created("e1"), created("e2", "ben")])
    KinesisHandler([StrictProcessor(repository())], quarantine=quarantine)({"Records": records})
    way = through_handler(repository(), quarantine, batch_size=1)
    next(Redrive([read_contents(quarantine)]).run(way))
    assert open_in(quarantine) == [0, 1, 2]


def test_what_fails_again_stays_and_says_why_and_goes_through_when_it_can(
    quarantine: MemoryQuarantine,
) -> None:
    store = repository()
    records = on_shard([created("e1"), created("e2", "ben")])
    give_up(quarantine, records)
    failing = FailingProcessor(store, "e1")
    sent = redrive(through_handler(store, quarantine, failing), quarantine)
    assert (done_of(sent), left_of(sent)) == ([1], [(0, "e1 is refused for now")])
    assert open_in(quarantine) == [0]
    failing.failing.clear()
    assert done_of(redrive(through_handler(store, quarantine, failing), quarantine)) == [0]
    assert {key: each.version for key, each in state_of(store).items()} == {
        ("anna", "bet"): 1,
        ("ben", "bet"): 1,
    }


@pytest.mark.parametrize(("batch_size", "why"), [(100, HELD_BACK_IN_BATCH), (1, HELD_BACK), (2, HELD_BACK)])
def test_behind_what_fails_again_its_partition_key_is_held_back_in_later_batches_too(
    quarantine: MemoryQuarantine, batch_size: int, why: str
) -> None:
    store = repository()
    records = on_shard([created("e1"), created("e2", "ben"), progress("e3", 5), progress("e4", 1, "ben")])
    give_up(quarantine, records)
    failing = FailingProcessor(store, "e1")
    sent = redrive(through_handler(store, quarantine, failing, batch_size), quarantine)
    assert left_of(sent) == [(0, "e1 is refused for now"), (2, why)]
    assert "e3" not in failing.seen
    failing.failing.clear()
    redrive(through_handler(store, quarantine, failing, batch_size), quarantine)
    assert state_of(store) == clean_pass(records)


def test_what_is_rejected_again_holds_nothing_back(quarantine: MemoryQuarantine) -> None:
    records = on_shard([b"{", created("e1")])
    KinesisHandler([StrictProcessor(repository())], quarantine=quarantine)({"Records": records})
    sent = redrive(through_handler(repository(), quarantine, batch_size=1), quarantine)
    assert done_of(sent) == [1]


def test_what_a_batch_that_was_given_up_holds_and_is_rejected_is_not_forgotten(
    quarantine: MemoryQuarantine,
) -> None:
    give_up(quarantine, on_shard([created("e1"), b"{"]))
    redrive(through_handler(repository(), quarantine), quarantine)
    [(place, (_, _, entry))] = waiting_in([read_contents(quarantine)]).items()
    assert (place.sub_sequence_number, entry.error) == (0, "InvalidEventError")


def test_without_a_quarantine_what_is_rejected_again_stays_where_it_is(quarantine: MemoryQuarantine) -> None:
    give_up(quarantine, on_shard([created("e1"), b"{"]))
    sent = redrive(ThroughHandler(KinesisHandler([UserLimitEventProcessor(repository())])), quarantine)
    assert [place for place, _ in left_of(sent)] == [1]
    assert open_in(quarantine) == [1]


def test_a_record_that_the_store_has_already_is_done_with(quarantine: MemoryQuarantine) -> None:
    store = repository()
    records = on_shard([created("e1"), progress("e2", 5)])
    KinesisHandler([UserLimitEventProcessor(store)])({"Records": records})
    give_up(quarantine, records)
    sent = redrive(through_handler(store, quarantine), quarantine)
    assert (done_of(sent), open_in(quarantine)) == ([0, 1], [])
    assert state_of(store) == clean_pass(records)


class TestPartsOfAnAggregatedRecord:
    def records(self) -> list[object]:
        parts = [created("e1"), created("e2", "ben", brandId="b"), progress("e3", 5, "ben"), created("e4")]
        return [aggregate((each["payload"]["userId"], None, data_of(each)) for each in parts)]

    def test_a_part_that_was_rejected_goes_through_and_the_others_are_not_counted_twice(
        self, quarantine: MemoryQuarantine
    ) -> None:
        store = repository()
        records = on_shard(self.records())
        KinesisHandler([StrictProcessor(store)], quarantine=quarantine)({"Records": records})
        subs = [place.sub_sequence_number for place in waiting_in([read_contents(quarantine)])]
        assert subs == [0, 3]
        before = state_of(store)
        sent = redrive(through_handler(store, quarantine), quarantine)
        assert (len(done_of(sent)), left_of(sent)) == (2, [])
        assert state_of(store) == clean_pass(records)
        assert state_of(store)["ben", "bet"] == before["ben", "bet"]

    def test_a_part_that_fails_again_stays_alone(self, quarantine: MemoryQuarantine) -> None:
        store = repository()
        records = on_shard(self.records())
        KinesisHandler([StrictProcessor(store)], quarantine=quarantine)({"Records": records})
        sent = redrive(through_handler(store, quarantine, FailingProcessor(store, "e4")), quarantine)
        assert (len(done_of(sent)), left_of(sent)) == (1, [(0, "e4 is refused for now")])
        [place] = waiting_in([read_contents(quarantine)])
        assert place.sub_sequence_number == 3

    def test_behind_a_part_that_fails_again_its_own_partition_key_is_held_back(
        self, quarantine: MemoryQuarantine
    ) -> None:
        store = repository()
        records = on_shard(
            [*self.records(), progress("e5", 5, "ben"), created("e6", "carl"), progress("e7", 5)]
        )
        give_up(quarantine, records)
        failing = FailingProcessor(store, "e2")
        sent = redrive(through_handler(store, quarantine, failing, batch_size=1), quarantine)
        assert left_of(sent) == [(0, "e2 is refused for now"), (1, HELD_BACK)]
        failing.failing.clear()
        redrive(through_handler(store, quarantine, failing, batch_size=1), quarantine)
        # what came behind for others went through first: it was not theirs that failed
        assert state_of(store)["ben", "bet"] == clean_pass(records)["ben", "bet"]
        assert open_in(quarantine) == []

    def test_behind_a_record_that_is_held_back_all_of_its_partition_keys_are(
        self, quarantine: MemoryQuarantine
    ) -> None:
        store = repository()
        both = aggregate(
            (user, None, data_of(event))
            for user, event in (("anna", progress("e2", 5)), ("ben", created("e3", "ben")))
        )
        records = on_shard([created("e1"), both, progress("e4", 5, "ben")])
        give_up(quarantine, records)
        failing = FailingProcessor(store, "e1")
        sent = redrive(through_handler(store, quarantine, failing, batch_size=1), quarantine)
        assert left_of(sent) == [(0, "e1 is refused for now"), (1, HELD_BACK), (2, HELD_BACK)]
        failing.failing.clear()
        redrive(through_handler(store, quarantine, failing, batch_size=1), quarantine)
        assert state_of(store) == clean_pass(records)

    def test_a_record_that_cannot_be_taken_apart_stays(self, quarantine: MemoryQuarantine) -> None:
        [content] = self.records()
        assert isinstance(content, bytes)
        records = on_shard([content[:-1] + b"?"])
        KinesisHandler([StrictProcessor(repository())], quarantine=quarantine)({"Records": records})
        sent = redrive(through_handler(repository(), quarantine), quarantine)
        assert left_of(sent) == [(0, "KPL record: the MD5 checksum does not match")]
        assert open_in(quarantine) == [0]

    def test_a_record_is_handled_once_though_it_waits_as_a_whole_and_in_part(
        self, quarantine: MemoryQuarantine
    ) -> None:
        store = repository()
        records = on_shard(self.records())
        KinesisHandler([StrictProcessor(store)], quarantine=quarantine)({"Records": records})
        give_up(quarantine, records)
        processor = FailingProcessor(store)
        sent = redrive(through_handler(store, quarantine, processor), quarantine)
        assert (len(done_of(sent)), left_of(sent)) == (3, [])
        assert sorted(processor.seen) == ["e1", "e4"], "what is known is not applied"
        assert open_in(quarantine) == []


def test_streams_do_not_meet_though_their_numbers_are_the_same(quarantine: MemoryQuarantine) -> None:
    other = "arn:aws:kinesis:eu-west-1:123456789012:stream/others"
    give_up(quarantine, on_shard([created("e1")]))
    give_up(quarantine, on_shard([created("e2", "ben")], stream=other))
    store = repository()
    sent = redrive(through_handler(store, quarantine, FailingProcessor(store, "e1")), quarantine)
    left = [(entry.stream, verdict.reason) for each in sent for entry, verdict in each if not verdict.done]
    assert left == [(STREAM, "e1 is refused for now")]


class TestWhatComesTooLate:
    """An event that was given up, and whose successors were applied meanwhile."""

    @pytest.fixture
    def records(self) -> list[LambdaRecord]:
        return on_shard([created("e1"), progress("e2", 5), progress("e3", 7), created("e4", "ben")])

    @pytest.fixture
    def store(self, records: list[LambdaRecord], quarantine: MemoryQuarantine) -> MemoryRepository[Limit]:
        store = repository()
        KinesisHandler([UserLimitEventProcessor(store)])({"Records": [records[0], records[2]]})
        give_up(quarantine, [records[1], records[3]])
        return store

    def test_it_is_too_late_and_stays_and_the_others_are_done_with(
        self, store: MemoryRepository[Limit], quarantine: MemoryQuarantine
    ) -> None:
        for _ in range(2):
            sent = redrive(through_handler(store, quarantine), quarantine)
            assert results_of(sent)[0] == (1, "too late")
            assert left_of(sent) == [(1, TOO_LATE)]
            assert open_in(quarantine) == [1]
        assert ("ben", "bet") in state_of(store)

    def test_it_is_done_with_when_that_is_said(
        self, store: MemoryRepository[Limit], quarantine: MemoryQuarantine
    ) -> None:
        before = state_of(store)[("anna", "bet")]
        sent = redrive(through_handler(store, quarantine, accept_too_late=True), quarantine)
        assert results_of(sent) == [(1, "too late"), (3, "applied")]
        assert (left_of(sent), open_in(quarantine)) == ([], [])
        assert state_of(store)[("anna", "bet")] == before, "and is not applied"
        [mark] = [content for name, content in quarantine.objects.items() if name.startswith(DONE)]
        assert b'"outcome":"too late"' in mark

    def test_a_record_of_which_a_part_is_superseded_is_and_stays(self, quarantine: MemoryQuarantine) -> None:
        store = repository()
        parts = [data_of(progress("e2", 5)), data_of(created("e3", "ben"))]
        records = on_shard([created("e1"), aggregate(("k", None, each) for each in parts), progress("e4", 7)])
        KinesisHandler([UserLimitEventProcessor(store)])({"Records": [records[0], records[2]]})
        give_up(quarantine, records[1:2])
        assert results_of(redrive(through_handler(store, quarantine), quarantine)) == [(1, "too late")]
        assert open_in(quarantine) == [1]


def test_each_record_is_counted_by_what_became_of_it(quarantine: MemoryQuarantine) -> None:
    store = repository()
    foreign = {"eventId": "e6", "type": "FOREIGN", "createdAt": 1, "payload": {"userId": "anna"}}
    records = on_shard(
        [
            created("e1"),
            progress("e2", 5),
            b"{",
            progress("e4", 1, "ben"),
            progress("e5", 2, "ben"),
            foreign,
        ]
    )
    KinesisHandler([UserLimitEventProcessor(store)])({"Records": records[:1]})
    give_up(quarantine, records)
    sent = redrive(through_handler(store, quarantine, batch_size=4), quarantine)
    assert results_of(sent) == [
        (0, "duplicate"),
        (1, "applied"),
        (2, "rejected again"),
        (3, "failed again"),
        (4, "held back"),
        (5, "ignored"),
    ]
    assert open_in(quarantine) == [2, 3, 4], "what is rejected waits as an entry of its own, with the reason"


def test_records_without_a_partition_key_are_kept_and_sent_and_hold_back_no_other(
    quarantine: MemoryQuarantine,
) -> None:
    store = repository()
    records = on_shard([progress("e1", 5), created("e2", "ben"), b"{"])
    for each in records:
        each["kinesis"]["partitionKey"] = None
    del records[1]["kinesis"]["partitionKey"]
    deliver(KinesisHandler([FailingProcessor(store, "e2")], quarantine=quarantine), records, quarantine)
    assert open_in(quarantine) == [0, 1, 2, 2]
    keys = {entry.partition_key for _, _, entry in waiting_in([read_contents(quarantine)]).values()}
    assert keys == {None}
    sent = redrive(through_handler(store, quarantine, batch_size=1), quarantine)
    assert results_of(sent) == [
        (0, "failed again"),
        (1, "applied"),
        (2, "rejected again"),
        (2, "rejected again"),
    ]
