"""The SQLite repository: the laws, several processes, and a file that outlives any of them."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kinesis_handler import ConfigurationError, Key, RepositoryError
from kinesis_handler.retry import ATTEMPTS, Backoff
from kinesis_handler.stores import Change, Repository, sqlite_file
from kinesis_handler.stores.sqlite import SQLiteRepository
from kinesis_handler.stores.upgrade import Upgrade
from kinesis_handler.testing import FakeClock, LawState, RepositoryLaws, StoredLaws
from kinesis_handler.testing.law_states import aggregate, insert
from user_limits.limit import Limit

if TYPE_CHECKING:
    from kinesis_handler.errors import UnreadableError

COMMAND = Path(sys.executable).with_name("kinesis-handler")
EVENTS = 6_000
LIMITS = 40


class TestSQLiteRepository(RepositoryLaws):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make_repository(self, clock: Callable[[], float], ttl: int) -> Repository[LawState]:
        return SQLiteRepository(self.folder / "laws.db", LawState, ttl=ttl, clock=clock)


DAMAGED = {
    "cut off": "substr(document, 1, 20)",
    "empty": "''",
    "no object": "'[1, 2]'",
    "no UTF-8": "CAST(x'7b22ff22' AS TEXT)",
    "bytes": "x'00ff'",
    "a number": "1",
    "too deep": "'" + "[" * 100_000 + "'",
    "of another key": """replace(document, '"a","', '"b","')""",
    "of another version": """replace(document, '"version":1', '"version":2')""",
    "a number that none can be": """replace(document, '"496', '"x496')""",
}


@pytest.mark.parametrize("how", DAMAGED)
class TestRows(StoredLaws):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path, how: str) -> None:
        self.path, self.how = tmp_path / "laws.db", DAMAGED[how]

    def open_repository(self, state_type: type[Any], upgrade: Upgrade | None = None) -> Repository[Any]:
        return SQLiteRepository(self.path, state_type, upgrade=upgrade)

    def damage(self, key: Key) -> None:
        change(self.path, f"UPDATE aggregates SET document = {self.how} WHERE sort = '{key[1]}'")  # noqa: S608


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of events that each add 1 to the progress of one of the limits."""

    def lines() -> Iterator[str]:
        for number in range(EVENTS):
            limit = f"limit-{number % LIMITS}"
            created = number < LIMITS
            event = {
                "eventId": f"event-{number}",
                "type": "USER_LIMIT_CREATED" if created else "USER_LIMIT_PROGRESS_CHANGED",
                "createdAt": 1_700_000_000_000 + number,
                "aggregateId": "anna",
                "sequenceNumber": number,
                "payload": {
                    "userId": "anna",
                    "userLimitId": limit,
                    **({"value": 1_000_000} if created else {"amount": 1}),
                },
            }
            yield json.dumps(event) + "\n"

    path = tmp_path_factory.mktemp("stream") / "events.jsonl"
    path.write_text("".join(lines()))
    return path


def run(stream: Path, database: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [COMMAND, "run", stream, "--store", f"sqlite:///{database}", "--batch-size", "50"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "STORAGE_TTL": "0", "LOG_LEVEL": "error"},
    )


def check_whole(database: Path, *, finished: bool) -> int:
    """See that each limit is as some prefix of the stream leaves it; return how many events are in it."""
    total = 0
    for found in SQLiteRepository(database, Limit).scan():
        assert found.state.progress == found.version - 1
        assert found.recent_event_ids[-1] == f"event-{found.sequence_number}"
        total += found.version
    if finished:
        assert total == EVENTS
    return total


@pytest.mark.other_programs
def test_a_process_that_is_killed_leaves_no_half_saved_limit_and_the_next_goes_on(
    stream: Path, tmp_path: Path
) -> None:
    database = tmp_path / "limits.db"
    totals: list[int] = []
    for _ in range(3):
        process = run(stream, database)
        before = totals[-1] if totals else 0
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            if database.exists() and count_events(database) > before:
                break
        process.send_signal(signal.SIGKILL)
        process.wait()
        totals.append(check_whole(database, finished=False))
    assert totals == sorted(totals)
    assert 0 < totals[0] < EVENTS, "it was killed in the middle"
    assert run(stream, database).wait(60) == 0
    check_whole(database, finished=True)


def count_events(database: Path) -> int:
    """Return how many events another process has saved so far."""
    connection = sqlite3.connect(database, timeout=10)
    try:
        [[total]] = connection.execute("SELECT coalesce(sum(version), 0) FROM aggregates").fetchall()
    except sqlite3.OperationalError:  # the table is not there yet
        return 0
    else:
        return int(total)
    finally:
        connection.close()


@pytest.mark.other_programs
def test_several_processes_write_one_file_and_none_loses_an_update(stream: Path, tmp_path: Path) -> None:
    database = tmp_path / "limits.db"
    processes = [run(stream, database) for _ in range(3)]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    check_whole(database, finished=True)


def test_several_processes_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for round_ in range(5):
            path = tmp_path / f"{round_}.db"
            repositories = list(pool.map(lambda _, path=path: SQLiteRepository(path, LawState), range(8)))
            insert(repositories[0], aggregate(("a", "1")))
            assert all(len(list(each.scan())) == 1 for each in repositories)


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, sqlite3.Connection]]:
    """A new file that another process has locked, for which SQLite itself does not wait."""
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT", 0)
    path = tmp_path / "laws.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield path, other


def test_a_new_file_that_another_process_sets_up_is_waited_for_though_sqlite_does_not(
    locked: tuple[Path, sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = locked
    monkeypatch.setattr(sqlite_file, "Backoff", partial(Backoff, lambda _: other.execute("ROLLBACK")))
    insert(SQLiteRepository(path, LawState), aggregate(("a", "1")))


def test_a_file_that_stays_locked_is_an_error_after_some_attempts(
    locked: tuple[Path, sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = locked
    waited: list[float] = []
    monkeypatch.setattr(sqlite_file, "Backoff", partial(Backoff, waited.append))
    with pytest.raises(ConfigurationError, match="cannot be used: database is locked"):
        SQLiteRepository(path, LawState)
    assert len(waited) == ATTEMPTS - 1


def test_another_connection_sees_what_was_answered(tmp_path: Path) -> None:
    first, second = (SQLiteRepository(tmp_path / "laws.db", LawState) for _ in range(2))
    insert(first, aggregate(("a", "1")))
    assert second.save([Change(None, aggregate(("a", "1")))]).conflicts == {("a", "1")}


def test_what_has_expired_leaves_the_file_with_the_next_write(tmp_path: Path) -> None:
    clock = FakeClock()
    repository = SQLiteRepository(tmp_path / "laws.db", LawState, ttl=60, clock=clock)
    insert(repository, *(aggregate(("a", f"{number}")) for number in range(10)))
    clock.advance(60)
    insert(repository, aggregate(("b", "1")))
    assert rows(tmp_path / "laws.db") == [("b", "1")]


def test_people_can_read_what_is_stored_with_sql(tmp_path: Path) -> None:
    insert(SQLiteRepository(tmp_path / "laws.db", LawState), aggregate(("a", "1"), note="readable"))
    connection = sqlite3.connect(tmp_path / "laws.db")
    statement = "SELECT json_extract(document, '$.state.note') FROM aggregates WHERE partition = 'a'"
    assert connection.execute(statement).fetchone() == ("readable",)
    connection.close()


def test_a_document_that_is_no_such_state_fails_its_own_key_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "laws.db"
    repository = SQLiteRepository(path, LawState)
    insert(repository, aggregate(("a", "1")), aggregate(("a", "2")))
    change(path, "UPDATE aggregates SET document = '{}' WHERE sort = '1'")
    assert str(repository.load([("a", "1"), ("a", "2")]).failed["a", "1"]) == (
        f"what is stored under ('a', '1') in table 'aggregates' of '{path}' is no LawState: Object missing "
        "required field `key`. Repair it there, or delete it and send the events of its key again"
    )


@pytest.mark.parametrize("column", ["partition", "sort"])
@pytest.mark.parametrize("key", ["x'ff'", "CAST(x'ff' AS TEXT)"], ids=["bytes", "no UTF-8"])
def test_a_row_whose_key_is_no_text_is_named_and_all_others_are_read(
    tmp_path: Path, column: str, key: str
) -> None:
    repository = SQLiteRepository(tmp_path / "laws.db", LawState)
    insert(repository, *(aggregate(("a", sort)) for sort in ("1", "2", "3")), aggregate(("b", "1")))
    change(tmp_path / "laws.db", f"UPDATE aggregates SET {column} = {key} WHERE sort = '2'")  # noqa: S608
    unreadable: dict[Key, UnreadableError] = {}
    found = [each.key for each in repository.scan(on_unreadable=unreadable.__setitem__)]
    assert sorted(found) == [("a", "1"), ("a", "3"), ("b", "1")]
    assert unreadable.keys() == {("a", r"\xff") if column == "sort" else (r"\xff", "2")}
    page = repository.find("a", limit=2)
    assert ([each.key[1] for each in page.aggregates], page.cursor) == (["1", "3"], None)
    assert repository.find("a", limit=1).cursor is not None


def test_what_sqlite_refuses_is_a_repository_error_and_nothing_is_written(tmp_path: Path) -> None:
    repository = SQLiteRepository(tmp_path / "laws.db", LawState)
    insert(repository, aggregate(("a", "1")))
    change(
        tmp_path / "laws.db",
        "CREATE TRIGGER full BEFORE INSERT ON aggregates WHEN new.sort = '3'"
        " BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END",
    )
    with pytest.raises(RepositoryError, match=r"SQLite, .*laws\.db: database or disk is full"):
        repository.save([Change(None, aggregate(("a", sort))) for sort in ("2", "3")])
    assert rows(tmp_path / "laws.db") == [("a", "1")]
    insert(repository, aggregate(("a", "2")))


def test_a_file_of_something_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE aggregates (something TEXT)")
    connection.close()
    content = path.read_bytes()
    with pytest.raises(ConfigurationError, match=r"other\.db' holds something else"):
        SQLiteRepository(path, LawState)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_text("not a database" * 100), "cannot be used: file is not a database"),
        (lambda path: path.mkdir(), "cannot be opened: unable to open database file"),
        (lambda path: change(path, "PRAGMA user_version = 2"), "made by a newer version"),
    ],
    ids=["text", "folder", "newer"],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, make: Callable[[Path], object], said: str
) -> None:
    make(tmp_path / "limits.db")
    with pytest.raises(ConfigurationError, match=rf"limits\.db' .*{said}"):
        SQLiteRepository(tmp_path / "limits.db", LawState)


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be made: there is no folder '.*nowhere'"):
        SQLiteRepository(tmp_path / "nowhere" / "limits.db", LawState)


def change(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()


def rows(path: Path) -> list[tuple[str, str]]:
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT partition, sort FROM aggregates ORDER BY 1, 2").fetchall()
    connection.close()
    return found


def test_a_new_file_and_those_beside_it_are_for_their_owner_only(tmp_path: Path) -> None:
    repository = SQLiteRepository(tmp_path / "limits.db", LawState)
    insert(repository, aggregate(("a", "b")))
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("limits.db", "limits.db-wal", "limits.db-shm"), 0o600)


def test_a_file_that_is_there_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "limits.db"
    path.touch(mode=0o640)
    path.chmod(0o640)
    repository = SQLiteRepository(path, LawState)
    insert(repository, aggregate(("a", "b")))
    assert path.stat().st_mode & 0o777 == 0o640


def test_in_memory_no_file_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    insert(SQLiteRepository(":memory:", LawState), aggregate(("a", "b")))
    assert list(tmp_path.iterdir()) == []
