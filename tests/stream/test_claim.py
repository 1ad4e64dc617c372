"""Of several processes that read a stream into a store exactly one goes on: the one that has the claim."""

import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from socket import gethostname

import pytest

from kinesis_handler.aggregate import Key
from kinesis_handler.errors import RepositoryError, StreamError
from kinesis_handler.local.minutes import Report
from kinesis_handler.local.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.local.stream.checkpoint_store import CheckpointStore
from kinesis_handler.local.stream.claim import CLAIM, LOST_AFTER, RENEWED_EVERY, Claim, MakeReport
from kinesis_handler.stores import Change, Loaded, Saved
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import FakeClock

STREAM, SHARDS = "arn:stream/facts:1", ["shard-1", "shard-2"]


class Processes:
    """Processes on several machines, whose clock is moved by those that wait."""

    def __init__(self) -> None:
        self.repository: MemoryRepository[Checkpoint] = MemoryRepository()
        self.clock = FakeClock()
        self.while_waiting: Callable[[], object] = lambda: None

    def pause(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.while_waiting()

    def claim(self, owner: str, report: MakeReport | None = None) -> Claim:
        """Return the claim of one: an owner is HOST:PROCESS:ID."""
        store = CheckpointStore(self.repository, STREAM)
        store.owner = owner
        return Claim(store, self.clock, report)

    def owner(self) -> str:
        row = CheckpointStore(self.repository, STREAM).read(CLAIM)
        assert row is not None
        return "" if row.state.ended else row.state.owner


@pytest.fixture
def processes() -> Processes:
    return Processes()


FIRST, SECOND = "machine-1:7:a", "machine-2:7:b"


def test_a_claim_that_nobody_has_or_that_was_given_back_is_taken_at_once(processes: Processes) -> None:
    begun = processes.clock()
    for owner in (FIRST, SECOND):
        claim = processes.claim(owner)
        claim.take(0, processes.pause)
        assert processes.owner() == owner
        claim.release(0)
        assert processes.owner() == ""
    assert processes.clock() == begun


def test_while_it_is_renewed_a_second_process_is_refused_and_learns_who_has_it(processes: Processes) -> None:
    first, second = processes.claim(FIRST), processes.claim(SECOND)
    first.take(0, processes.pause)
    forget_process(first)
    processes.while_waiting = lambda: None if first.due_in() else first.renew(0)
    begun = processes.clock()
    with pytest.raises(StreamError, match=rf"{STREAM} is being read .*another process \(7 on machine-1\)"):
        second.take(0, processes.pause)
    assert processes.clock() - begun <= 1.5 * RENEWED_EVERY
    first.renew(0)
    assert first.is_held()
    assert not second.is_held()


def test_when_it_is_not_renewed_for_a_while_it_is_taken_over_and_the_first_ends(processes: Processes) -> None:
    first, second = processes.claim(FIRST), processes.claim(SECOND)
    first.take(0, processes.pause)
    forget_process(first)
    begun = processes.clock()
    second.take(0, processes.pause)
    assert processes.clock() - begun == LOST_AFTER
    assert processes.owner() == SECOND
    assert first.due_in() == 0
    with pytest.raises(StreamError, match="machine-2"):
        first.renew(0)
    assert first.due_in() > 0, "it has nothing more to renew"
    first.renew(0)
    first.release(0)
    assert processes.owner() == SECOND


def test_of_two_that_want_to_take_it_over_at_once_one_gets_it(processes: Processes) -> None:
    processes.claim(FIRST).take(0, processes.pause)
    forget_process(processes.claim(FIRST))
    second, third = processes.claim(SECOND), processes.claim("machine-3:7:c")

    def overtake() -> None:
        processes.while_waiting = lambda: None
        third.take(0, processes.pause)

    processes.while_waiting = overtake
    with pytest.raises(StreamError, match="machine-3"):
        second.take(0, processes.pause)
    assert processes.owner() == "machine-3:7:c"


@pytest.mark.other_programs
def test_of_a_process_on_this_machine_that_is_gone_nothing_is_waited_for(processes: Processes) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    processes.claim(f"{gethostname()}:{gone.pid}:a").take(0, processes.pause)
    begun = processes.clock()
    second = processes.claim(SECOND)
    second.take(0, processes.pause)
    assert processes.clock() == begun
    assert second.is_held()


def test_a_store_that_is_down_does_not_end_it_and_is_tried_again_soon(processes: Processes) -> None:
    class GoesDown(MemoryRepository[Checkpoint]):
        down = False

        def load(self, keys: Collection[Key]) -> Loaded[Checkpoint]:
            if self.down:
                raise RepositoryError("injected")
            return super().load(keys)

        def save(self, changes: Sequence[Change[Checkpoint]]) -> Saved:
            if self.down:
                raise RepositoryError("injected")
            return super().save(changes)

    processes.repository = store = GoesDown()
    claim = processes.claim(FIRST)
    claim.take(0, processes.pause)
    store.down = True
    claim.renew(0)
    assert 0 < claim.due_in() < RENEWED_EVERY / 2
    store.down = False
    claim.renew(0)
    assert claim.due_in() == RENEWED_EVERY
    store.down = True
    claim.release(0)
    store.down = False
    assert processes.owner() == FIRST, "the next process has to see for itself"


def test_the_one_that_has_it_goes_on_whatever_the_other_writes() -> None:
    repository: MemoryRepository[Checkpoint] = MemoryRepository()
    first = Checkpoints(repository, STREAM)
    first.begin(lambda: SHARDS, Checkpoint(), 0)
    late = Checkpoints(repository, STREAM)
    late.load()
    late.save([("shard-1", Checkpoint(after="1"))], 0)
    first.save([(shard, Checkpoint(after="5")) for shard in SHARDS], 0)
    first.save([("shard-1", Checkpoint(after="6"))], 0)
    with pytest.raises(StreamError, match="shard-1 is being read into this store by another process"):
        late.save([("shard-1", Checkpoint(after="2"))], 0)
    assert first.load() == {"shard-1": Checkpoint(after="6"), "shard-2": Checkpoint(after="5")}


def test_the_second_is_refused_at_its_start_and_the_first_moves_all_of_its_shards() -> None:
    repository: MemoryRepository[Checkpoint] = MemoryRepository()
    first, second = Checkpoints(repository, STREAM), Checkpoints(repository, STREAM)
    first.begin(lambda: SHARDS, Checkpoint(), 0)
    with pytest.raises(StreamError, match="is being read into this store by another process") as refused:
        second.begin(lambda: SHARDS, Checkpoint(), 0)
    assert "Several processes share a stream by `kinesis-handler worker`" in str(refused.value)
    for shard in SHARDS:
        first.save([(shard, Checkpoint(after="11"))], 0)
    first.claim.release(0)
    assert second.begin(lambda: SHARDS, Checkpoint(), 0) == dict.fromkeys(SHARDS, Checkpoint(after="11"))


def forget_process(claim: Claim) -> None:
    """Let this process not know that it has a claim: it is another machine's."""
    from kinesis_handler.local.stream import claim as module

    module._held.discard(claim._store.owner)


def test_each_renewal_carries_a_report_and_so_does_the_end(processes: Processes) -> None:
    def stored() -> object:
        row = CheckpointStore(processes.repository, STREAM).read(CLAIM)
        assert row is not None
        return row.state.report

    claim = processes.claim(FIRST, lambda at: Report(int(at), {"applied": (int(at),)}, (-1,)))
    claim.take(1, processes.pause)
    assert stored() == Report(1, {"applied": (1,)}, (-1,))
    processes.clock.advance(RENEWED_EVERY)
    claim.renew(2)
    assert stored() == Report(2, {"applied": (2,)}, (-1,))
    claim.release(3)
    assert stored() == Report(3, {"applied": (3,)}, (-1,))
    assert processes.owner() == ""
