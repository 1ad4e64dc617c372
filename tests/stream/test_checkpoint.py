"""How far each shard has been read, in every store."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import uuid4

import pytest

from kinesis_handler.errors import RepositoryError, StreamError
from kinesis_handler.local.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.local.stream.checkpoint_repository import checkpoints_in
from kinesis_handler.stores import Change, Repository, Saved, open_store
from kinesis_handler.stores.expiry import Expiry
from kinesis_handler.stores.forwarding import ForwardingRepository
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.sqlite import SQLiteRepository
from kinesis_handler.testing import FakeClock, LawState
from kinesis_handler.testing.law_states import aggregate, insert
from testkit.emulators.wire import Answer, Call, Tap
from user_limits.wiring import application

if TYPE_CHECKING:
    from kinesis_handler.stores.dynamodb import Connection
    from testkit.tables import Tables

STREAM, SHARD = "arn:aws:kinesis:us-east-1:000000000000:stream/facts:1700000000", "shardId-000000000000"
BEHIND_7 = Checkpoint(after="7")


@pytest.fixture(params=["memory", "sqlite", pytest.param("dynamodb", marks=pytest.mark.other_programs)])
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> Repository[Checkpoint]:
    """Return where checkpoints are kept."""
    match request.param:
        case "memory":
            return MemoryRepository()
        case "sqlite":
            return SQLiteRepository(tmp_path / "limits.db", Checkpoint, table="checkpoints")
    tables: Tables = request.getfixturevalue("tables")
    return tables.repository(Checkpoint)


class LosesAnswers(ForwardingRepository[Checkpoint]):
    """A store whose next answer to a save is lost, before the write or behind it."""

    def __init__(self, repository: Repository[Checkpoint]) -> None:
        self.before = self.behind = self.told = False
        self._repository = repository

    def save(self, changes: Sequence[Change[Checkpoint]]) -> Saved:
        if self.before:
            self.before = False
            raise RepositoryError("injected: it was not written")
        saved = self._repository.save(changes)
        if self.behind:
            self.behind = False
            raise RepositoryError("injected: it was written, and nobody says so")
        if self.told:
            self.told = False
            return Saved(failed={change.key: RepositoryError("injected: unsure") for change in changes})
        return saved

    def _read(self) -> Repository[Checkpoint]:
        return self._repository


def save(checkpoints: Checkpoints, checkpoint: Checkpoint, shard: str = SHARD) -> None:
    checkpoints.save([(shard, checkpoint)], at=0)


def test_at_the_first_start_there_are_none(repository: Repository[Checkpoint]) -> None:
    assert Checkpoints(repository, STREAM).load() == {}


@pytest.mark.parametrize(
    "checkpoint",
    [Checkpoint(), BEHIND_7, Checkpoint(since=1_700_000_000_123), Checkpoint(ended=True)],
    ids=["oldest", "after", "since", "ended"],
)
def test_what_was_saved_is_loaded_by_the_next_process(
    repository: Repository[Checkpoint], checkpoint: Checkpoint
) -> None:
    save(Checkpoints(repository, STREAM), checkpoint)
    assert Checkpoints(repository, STREAM).load() == {SHARD: checkpoint}


def test_a_checkpoint_is_moved_by_the_process_that_saved_it_and_by_the_next(
    repository: Repository[Checkpoint],
) -> None:
    first = Checkpoints(repository, STREAM)
    for number in range(3):
        save(first, Checkpoint(after=str(number)))
    second = Checkpoints(repository, STREAM)
    second.load()
    save(second, BEHIND_7)
    assert Checkpoints(repository, STREAM).load() == {SHARD: BEHIND_7}


def test_each_stream_has_its_own(repository: Repository[Checkpoint]) -> None:
    save(Checkpoints(repository, STREAM), BEHIND_7)
    another_life = Checkpoints(repository, STREAM + "1")
    assert another_life.load() == {}
    save(another_life, Checkpoint())
    assert Checkpoints(repository, STREAM).load() == {SHARD: BEHIND_7}


def test_a_checkpoint_that_another_process_has_moved_is_an_error_that_names_the_shard(
    repository: Repository[Checkpoint],
) -> None:
    first, second = Checkpoints(repository, STREAM), Checkpoints(repository, STREAM)
    save(first, Checkpoint())
    second.load()
    save(second, Checkpoint(after="5"))
    with pytest.raises(StreamError, match=rf"{SHARD} is being read into this store by another process"):
        save(first, BEHIND_7)
    assert Checkpoints(repository, STREAM).load() == {SHARD: Checkpoint(after="5")}


def test_a_first_checkpoint_that_another_process_has_saved_elsewhere_is_an_error(
    repository: Repository[Checkpoint],
) -> None:
    first, second = Checkpoints(repository, STREAM), Checkpoints(repository, STREAM)
    save(first, Checkpoint())
    with pytest.raises(StreamError, match=SHARD):
        save(second, BEHIND_7)


def test_a_checkpoint_that_another_process_has_moved_to_the_very_same_place_is_an_error_too() -> None:
    repository: Repository[Checkpoint] = MemoryRepository()
    first, second = Checkpoints(repository, STREAM), Checkpoints(repository, STREAM)
    save(first, Checkpoint())
    second.load()
    save(second, BEHIND_7)
    with pytest.raises(StreamError, match=SHARD):
        save(first, BEHIND_7)


@pytest.mark.parametrize("lost", ["before", "behind", "told"])
def test_a_write_whose_answer_was_lost_is_no_conflict_with_ourselves(
    repository: Repository[Checkpoint], lost: str
) -> None:
    store = LosesAnswers(repository)
    checkpoints = Checkpoints(store, STREAM)
    save(checkpoints, Checkpoint())
    setattr(store, lost, True)
    with pytest.raises(RepositoryError):
        save(checkpoints, BEHIND_7)
    save(checkpoints, BEHIND_7)
    save(checkpoints, Checkpoint(after="8"))
    assert Checkpoints(repository, STREAM).load() == {SHARD: Checkpoint(after="8")}


def test_another_processs_write_behind_a_lost_one_is_a_conflict(repository: Repository[Checkpoint]) -> None:
    store = LosesAnswers(repository)
    first, second = Checkpoints(store, STREAM), Checkpoints(repository, STREAM)
    save(first, Checkpoint())
    store.behind = True
    with pytest.raises(RepositoryError):
        save(first, BEHIND_7)
    second.load()
    save(second, Checkpoint(after="8"))
    with pytest.raises(StreamError, match=SHARD):
        save(first, BEHIND_7)


def test_the_checkpoints_of_many_shards_are_all_loaded(repository: Repository[Checkpoint]) -> None:
    places = {f"shardId-{number:012d}": Checkpoint(after=str(number)) for number in range(250)}
    Checkpoints(repository, STREAM).save(places.items(), at=0)
    later = Checkpoints(repository, STREAM)
    assert later.load() == places
    for shard in (min(places), max(places)):
        save(later, Checkpoint(ended=True), shard)


def test_one_sqlite_file_holds_checkpoints_beside_limits_and_neither_touches_the_other(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    limits = SQLiteRepository(tmp_path / "limits.db", LawState, ttl=60, clock=clock)
    insert(limits, aggregate((STREAM, SHARD), note="a limit"))
    checkpoints = SQLiteRepository(tmp_path / "limits.db", Checkpoint, table="checkpoints", clock=clock)
    save(Checkpoints(checkpoints, STREAM), BEHIND_7)
    assert [each.state.note for each in limits.scan()] == ["a limit"]
    assert [each.state.after for each in checkpoints.scan()] == [BEHIND_7.after]

    clock.advance(60)
    insert(limits, aggregate(("a", "1")))
    assert Checkpoints(checkpoints, STREAM).load() == {SHARD: BEHIND_7}
    checkpoints.delete([(STREAM, SHARD)])
    assert [each.key for each in limits.scan()] == [("a", "1")]


def test_in_a_sqlite_file_either_table_may_come_first(tmp_path: Path) -> None:
    path = tmp_path / "limits.db"
    save(Checkpoints(SQLiteRepository(path, Checkpoint, table="checkpoints"), STREAM), BEHIND_7)
    insert(SQLiteRepository(path, LawState), aggregate(("a", "1")))
    again = SQLiteRepository(path, Checkpoint, table="checkpoints")
    assert Checkpoints(again, STREAM).load() == {SHARD: BEHIND_7}
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1").fetchall()
    connection.close()
    assert found == [("aggregates",), ("checkpoints",)]


@pytest.fixture
def store_urls(tmp_path: Path, dynamodb_endpoint: str) -> dict[str, str]:
    return {
        "memory": "inmemory:",
        "sqlite": f"sqlite:///{tmp_path / 'limits.db'}",
        "dynamodb": f"dynamodb://Kept-{tmp_path.name}?endpoint={dynamodb_endpoint}",
    }


@pytest.mark.parametrize("store", ["memory", "sqlite", "dynamodb"])
def test_the_application_keeps_them_beside_its_limits_and_for_ever(
    store_urls: dict[str, str], store: str
) -> None:
    built = application({"STORAGE_TTL": "1"}, store_urls[store])
    assert built.store
    built.store.provision()
    checkpoints = checkpoints_in(built.store)
    save(Checkpoints(checkpoints, STREAM), BEHIND_7)
    assert Checkpoints(checkpoints, STREAM).load() == {SHARD: BEHIND_7}
    [view] = built.views
    assert list(view.repository.scan()) == []
    expiries = [getattr(each, "expiry", None) for each in (view.repository, checkpoints)]
    assert expiries == [Expiry(1), Expiry(0)]


@pytest.mark.other_programs
def test_a_process_that_starts_at_once_goes_on_where_the_last_one_ended(dynamodb_endpoint: str) -> None:
    """DynamoDB may answer a query as things were a moment before, unless it is asked to be consistent."""

    def stale(call: Call) -> Answer | None:
        is_stale = call.operation == "Query" and not call.body.get("ConsistentRead")
        return {"Items": [], "Count": 0} if is_stale else None

    store = open_store(f"dynamodb://Stale-{uuid4()}?endpoint={dynamodb_endpoint}")
    first, second = (Checkpoints(checkpoints_in(store), STREAM) for _ in range(2))
    latest = [Checkpoint(since=1), Checkpoint(since=2)]
    with Tap(cast("Connection", store._connection), stale):
        assert first.begin(lambda: [SHARD], latest[0], at=0) == {SHARD: latest[0]}
        save(first, BEHIND_7)
        first.claim.release(at=0)
        assert second.begin(lambda: [SHARD], latest[1], at=0) == {SHARD: BEHIND_7}
