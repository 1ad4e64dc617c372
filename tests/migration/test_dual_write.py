"""The repository made of two, one promise at a time."""

import io
import json
from collections.abc import Sequence
from random import Random
from typing import TypeVar

import pytest

from kinesis_handler import Aggregate
from kinesis_handler.aggregate import RECENT_EVENT_IDS
from kinesis_handler.errors import RepositoryError, UnstorableError
from kinesis_handler.moving.agreement import Kinship, agree, kinship
from kinesis_handler.moving.dual_write import DualWriteRepository, ReadSide
from kinesis_handler.moving.dual_write.follower import REST, Follower
from kinesis_handler.moving.ledger import Ledger
from kinesis_handler.moving.phase import Phase, Side
from kinesis_handler.moving.records import Record, Records, Standing
from kinesis_handler.moving.repairs import Repair, Repairs
from kinesis_handler.stores import Change, Repository, Saved
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import FakeClock, FaultyRepository
from migration.writers import Log

State = TypeVar("State")

KEY = ("anna", "deposit")


def log(*entries: str) -> Aggregate[Log]:
    return Aggregate(
        key=KEY,
        state=Log(entries),
        version=len(entries),
        updated_at=0,
        record_sequence_number="0",
        record_sub_sequence_number=0,
        recent_event_ids=entries[-RECENT_EVENT_IDS:],
    )


def many(name: str, count: int) -> tuple[str, ...]:
    return tuple(f"{name}{number}" for number in range(count))


class Move:
    """A source and a target that can be taken away."""

    def __init__(self, phase: Phase) -> None:
        self.phase = phase
        self.clock = FakeClock()
        self.source: MemoryRepository[Log] = MemoryRepository()
        self.target: MemoryRepository[Log] = MemoryRepository()
        self.repairs: MemoryRepository[Repair] = MemoryRepository()
        self.of_source: MemoryRepository[Repair] = MemoryRepository()
        self.records = Records(MemoryRepository[Record]())
        self.down: set[str] = set()
        self.asked: list[str] = []
        self.repository = DualWriteRepository(
            Down("source", self.source, self),
            Down("target", self.target, self),
            lambda: self.phase,
            Ledger(
                Repairs(Down("repairs", self.repairs, self)),
                Repairs(Down("repairs", self.of_source, self)),
                self.records,
            ),
            self.clock,
        )

    def have(self, source: Aggregate[Log] | None, target: Aggregate[Log] | None) -> None:
        for repository, aggregate in ((self.source, source), (self.target, target)):
            if aggregate is not None:
                repository.save([Change(None, aggregate)])

    def load(self) -> Aggregate[Log] | None:
        loaded = self.repository.load([KEY])
        for why in loaded.failed.values():
            raise why
        return loaded.found.get(KEY)

    def append(self, entry: str) -> None:
        before = self.load()
        saved = self.repository.save([Change(before, log(*(before.state.entries if before else ()), entry))])
        for why in saved.failed.values():
            raise why
        assert not saved.conflicts

    def noted(self) -> list[str]:
        return [each.state.why for kept in (self.repairs, self.of_source) for each in kept.scan()]


class Down(FaultyRepository[State]):
    """A store that may be down."""

    def __init__(self, name: str, repository: Repository[State], move: Move) -> None:
        super().__init__(repository, Random(0), budget=0)
        self._name, self._move = name, move

    def _perhaps_fail_to_read(self) -> None:
        self._move.asked.append(self._name)
        if self._name in self._move.down:
            raise RepositoryError("down")

    _perhaps_fail_to_write = _perhaps_fail_to_read


def both(move: Move) -> list[Aggregate[Log] | None]:
    return [side.load([KEY]).found.get(KEY) for side in (move.source, move.target)]


@pytest.mark.parametrize(
    ("later", "earlier", "kin"),
    [
        (log("a", "b"), log("a", "b"), Kinship.DESCENDS),
        (log("a", "b", "c"), log("a"), Kinship.DESCENDS),
        (log("a", "b", "c"), log("x"), Kinship.APART),
        (log("a", "b"), log("a", "x"), Kinship.APART),
        (log(*many("a", 16)), log("a0"), Kinship.DESCENDS),
        (log(*many("a", 17)), log("a0"), Kinship.UNKNOWN),
        (log(*many("a", 30)), log(*many("a", 20)), Kinship.DESCENDS),
        (log(*many("a", 30)), log(*many("a", 19), "x"), Kinship.APART),
    ],
)
def test_the_events_that_are_remembered_tell_how_two_histories_go_together(
    later: Aggregate[Log], earlier: Aggregate[Log], kin: Kinship
) -> None:
    assert kinship(later, earlier) is kin


@pytest.mark.parametrize("phase", [Phase.DUAL_READ_SOURCE, Phase.DUAL_READ_TARGET])
@pytest.mark.parametrize(
    ("source", "target"),
    [(log("a"), None), (None, log("a")), (log("a", "b"), log("a")), (log("a"), log("a", "b"))],
)
def test_the_side_that_is_behind_is_brought_up_by_a_load(
    phase: Phase, source: Aggregate[Log] | None, target: Aggregate[Log] | None
) -> None:
    move = Move(phase)
    move.have(source, target)
    newer = max(filter(None, (source, target)), key=lambda each: each.version)
    assert move.load() == newer
    assert both(move) == [newer, newer]


def test_where_both_decide_a_write_that_the_target_refused_does_not_win_by_its_version() -> None:
    move = Move(Phase.DUAL_READ_TARGET)
    move.have(log("a", "lost", "lost too"), log("a", "acknowledged"))
    move.records.stand(Standing.LEADS)
    assert move.load() == log("a", "acknowledged")
    assert both(move) == [log("a", "acknowledged")] * 2


def test_where_the_source_decides_a_target_of_another_history_is_left_alone_and_noted() -> None:
    move = Move(Phase.DUAL_READ_SOURCE)
    move.have(log("a"), log("x", "y"))
    move.append("b")
    assert both(move) == [log("a", "b"), log("x", "y")]
    assert move.noted() == ["the target has another history than the source"]


@pytest.mark.parametrize(
    ("standing", "right"), [(Standing.FOLLOWS, many("a", 20)), (Standing.LEADS, ("a0",))]
)
def test_too_far_apart_to_tell_it_matters_whether_the_target_has_been_written_alone(
    standing: Standing, right: tuple[str, ...]
) -> None:
    move = Move(Phase.DUAL_READ_TARGET)
    move.have(log(*many("a", 20)), log("a0"))
    move.records.stand(standing)
    assert move.load() == log(*right)
    assert both(move) == [log(*right)] * 2


def test_too_far_apart_on_the_way_back_the_key_fails_and_nothing_is_written() -> None:
    move = Move(Phase.DUAL_READ_TARGET)
    move.have(log(*many("a", 20)), log("a0"))
    move.records.stand(Standing.RETURNS)
    with pytest.raises(RepositoryError, match="migrate verify --back"):
        move.load()
    assert both(move) == [log(*many("a", 20)), log("a0")]


def test_a_target_that_is_down_fails_no_event_while_the_source_decides_and_is_noted(
    log_lines: io.StringIO,
) -> None:
    move = Move(Phase.DUAL_READ_SOURCE)
    move.have(log("a"), log("a"))
    move.down = {"target"}
    move.append("b")
    assert both(move) == [log("a", "b"), log("a")]
    assert len(move.noted()) == 1
    line = json.loads(log_lines.getvalue().splitlines()[-1])
    assert (line["message"], line["keys"], line["unnoted"]) == ("target behind", 1, 0)


def test_a_target_that_answered_nothing_is_left_alone_for_a_while_and_then_caught_up_by_a_save() -> None:
    move = Move(Phase.DUAL_READ_SOURCE)
    move.have(log("a"), log("a"))
    move.down = {"target"}
    move.append("b")
    asked = move.asked.count("target")
    move.append("c")
    assert move.asked.count("target") == asked == 1
    move.down = set()
    move.clock.advance(REST)
    move.append("d")
    assert both(move) == [log("a", "b", "c", "d")] * 2


def test_if_not_even_the_note_can_be_kept_the_event_fails() -> None:
    move = Move(Phase.DUAL_READ_SOURCE)
    move.have(log("a"), log("a"))
    move.down = {"target", "repairs"}
    with pytest.raises(RepositoryError, match="could not be noted: down"):
        move.append("b")


@pytest.mark.parametrize("down", ["source", "target"])
def test_where_both_decide_both_have_to_answer(down: str) -> None:
    move = Move(Phase.DUAL_READ_TARGET)
    move.have(log("a"), log("a"))
    move.down = {down}
    with pytest.raises(RepositoryError, match=f"the {down}: down"):
        move.append("b")
    move.down = set()
    move.append("b")
    assert both(move) == [log("a", "b")] * 2


def test_a_handler_cut_off_from_the_source_acknowledges_nothing_that_another_may_not_see() -> None:
    """The way in which an update would be lost if the side that is read always decided alone.

    One handler has seen the new phase and the other has not. Each is cut off from the side that the other one
    decides by: both would acknowledge a second event, and nobody could tell which of the two is right.
    """
    move = Move(Phase.DUAL_READ_SOURCE)
    move.have(log("a"), log("a"))
    move.down = {"target"}
    move.append("b")
    move.phase, move.down = Phase.DUAL_READ_TARGET, {"source"}
    with pytest.raises(RepositoryError, match="the source: down"):
        move.append("c")
    move.down = set()
    move.append("c")
    assert both(move) == [log("a", "b", "c")] * 2


def test_since_the_target_leads_a_source_that_is_down_fails_no_event_and_what_it_lacks_is_noted(
    log_lines: io.StringIO,
) -> None:
    move = Move(Phase.DUAL_READ_TARGET)
    move.records.stand(Standing.LEADS)
    move.have(log("a"), log("a"))
    move.down = {"source"}
    move.append("b")
    assert both(move) == [log("a"), log("a", "b")]
    assert len(list(move.of_source.scan())) == 1
    assert json.loads(log_lines.getvalue().splitlines()[-1])["message"] == "source behind"
    move.down = set()
    move.clock.advance(REST)
    move.append("c")
    assert both(move) == [log("a", "b", "c")] * 2


def test_since_the_target_leads_the_source_is_copied_whole_if_it_has_nothing_or_something_else() -> None:
    for stored in (None, log("x"), log("x", "y", "z"), log(*many("x", 40))):
        move = Move(Phase.DUAL_READ_TARGET)
        move.records.stand(Standing.LEADS)
        move.have(stored, log("a"))
        move.append("b")
        assert both(move) == [log("a", "b")] * 2


@pytest.mark.parametrize(
    ("phase", "standing", "first"),
    [
        (Phase.DUAL_READ_SOURCE, Standing.FOLLOWS, "source"),
        (Phase.DUAL_READ_TARGET, Standing.LEADS, "target"),
    ],
)
def test_what_was_written_to_one_side_only_comes_to_the_other_when_its_event_comes_again(
    phase: Phase, standing: Standing, first: str
) -> None:
    move = Move(phase)
    move.records.stand(standing)
    move.have(log("a"), log("a"))
    side = move.source if first == "source" else move.target
    side.save([Change(log("a"), log("a", "b"))])  # and its answer was lost: nothing more was done
    assert move.load() == log("a", "b")
    assert both(move) == [log("a", "b")] * 2


def test_that_the_target_leads_is_not_remembered_beyond_the_phase_in_which_it_does() -> None:
    move = Move(Phase.DUAL_READ_TARGET)
    move.records.stand(Standing.LEADS)
    move.have(log("a"), log("a"))
    move.load()
    move.records.stand(Standing.FOLLOWS)  # the way back, and long after it another move
    move.phase = Phase.DUAL_READ_SOURCE
    before = move.load()
    move.phase, move.down = Phase.DUAL_READ_TARGET, {"source"}
    assert list(move.repository.save([Change(before, log("a", "b"))]).failed) == [KEY]
    assert both(move) == [log("a"), log("a")]


def test_what_only_the_side_that_follows_can_never_keep_is_noted_and_the_side_is_not_left_alone() -> None:
    move = Move(Phase.DUAL_READ_SOURCE)
    follower = Follower(Side.TARGET, Refusing(), Repairs(move.repairs), move.clock)
    assert follower.bring_up([Change(None, log("a"))]) == {KEY: "the target: too large"}
    assert follower.bring_up([Change(None, log("a"))]) == {KEY: "the target: too large"}


class Refusing(MemoryRepository[Log]):
    """A store in which nothing fits."""

    def save(self, changes: Sequence[Change[Log]]) -> Saved:
        return Saved(failed={each.key: UnstorableError("too large") for each in changes})


@pytest.mark.parametrize("phase", Phase)
def test_those_that_only_look_see_the_side_that_is_read_and_change_nothing(phase: Phase) -> None:
    move = Move(phase)
    move.have(log("s"), log("t", "u"))
    shown = ReadSide(Down("source", move.source, move), Down("target", move.target, move), lambda: move.phase)
    right = log("t", "u") if phase.reads_target else log("s")
    assert shown.load([KEY]).found == {KEY: right}
    assert shown.find("anna").aggregates == [right]
    assert list(shown.scan()) == [right]
    assert both(move) == [log("s"), log("t", "u")]
    assert set(move.asked) == {"target" if phase.reads_target else "source"}


@pytest.mark.parametrize(("phase", "other"), [(Phase.SOURCE, "target"), (Phase.TARGET, "source")])
def test_at_either_end_the_other_side_is_not_asked(phase: Phase, other: str) -> None:
    move = Move(phase)
    move.append("a")
    move.append("b")
    list(move.repository.scan())
    move.repository.find("anna")
    move.repository.delete([KEY])
    assert other not in move.asked


def test_that_the_target_is_written_alone_is_said_before_it_is() -> None:
    move = Move(Phase.TARGET)
    standings = [move.records.standing()]
    move.append("a")
    assert [*standings, move.records.standing()] == [Standing.FOLLOWS, Standing.LEADS]


def test_what_is_shown_is_the_side_that_is_read() -> None:
    move = Move(Phase.SOURCE)
    move.have(log("s"), log("t"))
    shown = []
    for move.phase in Phase:
        shown.append([each.state.entries for each in move.repository.find("anna").aggregates])
        assert [each.state.entries for each in move.repository.scan()] == shown[-1]
    assert shown == [[("s",)], [("s",)], [("t",)], [("t",)]]


def test_what_is_deleted_while_both_are_written_does_not_come_back() -> None:
    move = Move(Phase.DUAL_READ_SOURCE)
    move.append("a")
    move.repository.delete([KEY])
    assert move.load() is None
    assert both(move) == [None, None]


def test_two_sides_that_have_nothing_agree() -> None:
    assert agree(None, None, source_decides=False).right is None
