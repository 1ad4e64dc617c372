"""The record processor: batches in order, a checkpoint behind what is settled, no record passed over."""

import pytest

from kcl.library import SHARD, Driven, Function, Message, Record
from stream.consumption import Hasty


def failing(*numbers: str, times: int = 99) -> dict[str, int]:
    return dict.fromkeys(numbers, times)


def fails(left: dict[str, int]) -> Function:
    """Return a function that reports these records, as often as is left."""

    def function(numbers: list[str]) -> object:
        for each in numbers:
            if left.get(each, 0):
                left[each] -= 1
                return {"batchItemFailures": [{"itemIdentifier": each}]}
        return None

    return function


def test_batches_come_in_order_and_the_checkpoint_is_behind_each() -> None:
    driven = Driven().begin().deliver(1, 2, 3).deliver(4)
    assert driven.batches == [["1", "2"], ["3"], ["4"]]
    assert driven.checkpoints == [("2", 0), ("3", 0), ("4", 0)]
    assert driven.settled == 3
    progress = driven.work.progress[SHARD]
    assert (progress.records, progress.age) == (4, 1.0)


def test_a_call_without_records_delivers_nothing() -> None:
    driven = Driven().begin().deliver()
    assert not driven.batches
    assert not driven.checkpoints


def test_what_failed_is_delivered_again_before_the_checkpoint_passes_it() -> None:
    driven = Driven(fails(failing("2", times=2))).begin().deliver(1, 2)
    assert driven.batches == [["1", "2"], ["2"], ["2"]]
    assert driven.checkpoints == [("2", 0)]
    assert driven.given_up == []


def test_what_always_fails_is_given_up_and_the_shard_goes_on() -> None:
    driven = Driven(fails(failing("2")), bisect_batch_on_function_error=True, maximum_retry_attempts=1)
    driven.begin().deliver(1, 2, 3)
    [discarded] = driven.given_up
    assert [each["kinesis"]["sequenceNumber"] for each in discarded.records] == ["2"]
    assert driven.checkpoints == [("2", 0), ("3", 0)]


def test_a_kpl_record_is_delivered_whole_and_the_checkpoint_is_behind_its_last_part() -> None:
    parts = [Record("1", b"{}", number) for number in range(3)]
    driven = Driven().begin().deliver(*parts, Record("2"))
    assert driven.batches == [["1", "2"]]
    assert driven.checkpoints == [("2", 0)]
    driven.deliver(*(Record("3", b"{}", number) for number in range(4)))
    assert driven.checkpoints[-1] == ("3", 3)


def test_records_that_the_library_delivers_twice_are_taken_once() -> None:
    driven = Driven(maximum_batching_window=60, batch_size=100).begin().deliver(1, 2).deliver(1, 2, 3)
    driven.end()
    assert driven.batches == [["1", "2", "3"]]


def test_what_is_gathered_waits_and_has_no_checkpoint() -> None:
    driven = Driven(maximum_batching_window=60, batch_size=3).begin().deliver(1, 2)
    assert not driven.batches
    assert not driven.checkpoints
    driven.deliver(3, 4)
    assert driven.batches == [["1", "2", "3"]]
    assert driven.checkpoints == [("3", 0)]


def test_what_is_gathered_is_delivered_in_time_while_no_records_come() -> None:
    driven = Driven(timer=True, maximum_batching_window=0.1, batch_size=9).begin().deliver(1)
    assert driven.delivered.wait(20)
    assert driven.processor.finish(20)
    assert driven.batches == [["1"]]
    assert driven.checkpoints == [("1", 0)]


def test_a_shard_that_ends_delivers_what_is_gathered_before_its_children_begin() -> None:
    driven = Driven(maximum_batching_window=60, batch_size=9).begin().deliver(1, 2)
    driven.end()
    assert driven.batches == [["1", "2"]]
    assert driven.checkpoints == [("2", 0), (None, None)]
    assert driven.state == "ended"


def test_a_shutdown_delivers_what_is_gathered_and_takes_no_more() -> None:
    driven = Driven(maximum_batching_window=60, batch_size=9).begin().deliver(1)
    driven.processor.shutdown_requested(Message(driven.checkpointer))
    driven.deliver(2)
    driven.end()
    assert driven.batches == [["1"]]
    assert driven.checkpoints == [("1", 0)]
    assert driven.state == "lease lost", "another process gets the shard"


def test_finish_does_so_too_from_another_thread() -> None:
    driven = Driven(maximum_batching_window=60, batch_size=9).begin().deliver(1)
    assert driven.processor.finish(1)
    driven.deliver(2)
    assert driven.checkpoints == [("1", 0)]
    assert not driven.work.processors


def test_after_a_lost_lease_nothing_that_was_gathered_is_delivered() -> None:
    driven = Driven(maximum_batching_window=60, batch_size=9).begin().deliver(1)
    driven.processor.lease_lost(Message())
    driven.deliver(2)
    driven.processor.finish(1)
    assert not driven.batches
    assert not driven.checkpoints
    assert driven.state == "lease lost"
    assert driven.leases_lost == [SHARD], "what is remembered of its states is forgotten"


def test_a_lease_may_be_lost_before_the_shard_was_begun() -> None:
    driven = Driven()
    driven.processor.lease_lost(Message())
    driven.deliver(1)
    assert driven.batches == []


def test_a_checkpoint_that_finds_the_lease_lost_ends_the_shard() -> None:
    driven = Driven().begin()
    driven.checkpointer.errors = ["ShutdownException"]
    driven.deliver(1, 2, 3)
    assert driven.batches == [["1", "2"]]
    assert driven.state == "lease lost"


@pytest.mark.parametrize("errors", [1, 4])
def test_a_checkpoint_that_is_throttled_is_tried_again(errors: int) -> None:
    driven = Driven().begin()
    driven.work.stop = Hasty()
    driven.checkpointer.errors = ["ThrottlingException"] * errors
    driven.deliver(1)
    assert driven.checkpoints == [("1", 0)]


def test_a_checkpoint_that_is_never_set_stops_nothing_but_the_end_of_the_shard() -> None:
    driven = Driven().begin()
    driven.work.stop = Hasty()
    driven.checkpointer.errors = ["ThrottlingException"] * 5
    driven.deliver(1).deliver(2)
    assert driven.checkpoints == [("2", 0)]
    driven.checkpointer.errors = ["ThrottlingException"] * 5
    driven.end()
    assert driven.state == "reading", "the library calls it again"
    driven.end()
    assert driven.checkpoints[-1] == (None, None)


def test_a_stop_while_a_record_waits_for_its_retry_gives_nothing_up_and_sets_no_checkpoint() -> None:
    driven = Driven(fails(failing("1"))).begin()
    driven.on_wait = driven.work.stop.set
    driven.deliver(1, 2, 3)
    driven.deliver(4)
    driven.end()
    assert driven.batches == [["1", "2"]]
    assert not driven.given_up
    assert not driven.checkpoints
    assert driven.state == "stopped"


def test_an_error_that_it_does_not_know_ends_the_process_and_passes_no_record_over() -> None:
    driven = Driven().begin()
    driven.work.on_batch = lambda shard: setattr(shard, "upper", None)
    driven.deliver(1)
    driven.deliver(2)
    driven.end()
    assert driven.batches == [["1"]]
    assert driven.checkpoints == []
    assert isinstance(driven.work.failure, AttributeError)
    assert driven.work.stop.is_set()
    assert driven.state == "failed"


@pytest.mark.parametrize("number", [None, "no number"])
def test_records_that_cannot_be_numbered_end_it_too(number: str | None) -> None:
    driven = Driven().begin().deliver(Record(number))
    driven.deliver(2)
    assert not driven.batches
    assert isinstance(driven.work.failure, ValueError)


def test_a_stop_while_the_end_of_a_shard_is_not_noted_leaves_it_to_the_next_process() -> None:
    driven = Driven().begin()
    driven.checkpointer.errors = ["ThrottlingException"] * 5
    driven.work.stop.set()
    driven.end()
    assert not driven.checkpoints
    assert driven.state == "stopped"
