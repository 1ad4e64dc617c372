"""One row of a file is damaged: it is named, and stops nothing else, whatever looks at the file."""

import json
import sqlite3
from pathlib import Path

import pytest
from api.stored import aggregate, limit
from api.test_problems import problem
from litestar.testing import TestClient

from command_line import ROOT, call
from kinesis_handler import KinesisHandler
from kinesis_handler.application import Application
from kinesis_handler.cli.delivery import Delivery
from kinesis_handler.errors import RepositoryError, UnreadableError
from kinesis_handler.local.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.moving.phase import Phase, Side
from kinesis_handler.moving.repository import MovingRepository
from kinesis_handler.stores import Change, Saved
from kinesis_handler.stores.sqlite import SQLiteRepository
from kinesis_handler.testing import invocation
from user_limits.api.app import Options, build_api
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

EVENTS = str(ROOT / "apps" / "user_limits" / "data" / "events.json")
DAMAGED = ("anna", "anna-deposit-day")
SAID = f"what is stored under {DAMAGED!r} in table 'aggregates' of "
LIMITS = "/api/v1/users/usr/limits"


def damage(file: Path, sort: str, table: str = "aggregates") -> None:
    connection = sqlite3.connect(file)
    with connection:
        statement = f"UPDATE {table} SET document = substr(document, 1, 20) WHERE sort = ?"  # noqa: S608
        assert connection.execute(statement, (sort,)).rowcount == 1
    connection.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the file of a run, one of whose rows is damaged."""
    done = call(
        "run", EVENTS, "--store", "sqlite:///limits.db", folder=tmp_path, settings={"STORAGE_TTL": "0"}
    )
    assert done.returncode == 0
    damage(tmp_path / "limits.db", DAMAGED[1])
    return tmp_path / "limits.db"


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["table", "json"])
def test_run_shows_all_others_and_names_it(file: Path, options: list[str]) -> None:
    settings = {"STORAGE_TTL": "0", "LOG_LEVEL": "error"}
    done = call(
        "run", EVENTS, "--store", "sqlite:///limits.db", *options, folder=file.parent, settings=settings
    )
    assert done.returncode == 1
    assert f"cannot be read: {SAID}" in done.stderr
    assert "Traceback" not in done.stderr
    assert "anna" in done.stdout
    if options:
        told = json.loads(done.stdout)
        assert told["outcomes"]["duplicate"] > told["outcomes"]["failed"] > 0


def test_migrate_copies_all_others_and_names_it(file: Path) -> None:
    settings = {"STORAGE_TTL": "0", "LOG_LEVEL": "error"}
    stores = ["--from", "sqlite:///limits.db", "--to", "sqlite:///other.db"]
    for command in ("copy", "verify"):
        done = call("migrate", command, *stores, folder=file.parent, settings=settings)
        assert done.returncode == 1
        assert SAID in done.stderr + done.stdout
        assert "Traceback" not in done.stderr
        assert (", 1 not copied" if command == "copy" else ": 1 differ") in done.stdout
    copied = {each.key for each in SQLiteRepository(file.parent / "other.db", Limit).scan()}
    assert copied == {each.key for each in SQLiteRepository(file, Limit).scan(on_unreadable=lambda *_: None)}


def test_migrate_leaves_alone_what_is_damaged_in_the_target_and_copies_all_others(file: Path) -> None:
    settings = {"STORAGE_TTL": "0", "LOG_LEVEL": "error"}
    forth = ["--from", "sqlite:///limits.db", "--to", "sqlite:///other.db"]
    call("migrate", "copy", *forth, folder=file.parent, settings=settings)
    damage(file.parent / "other.db", "anna-deposit-month")
    copied = call("migrate", "copy", *forth, folder=file.parent, settings=settings)
    assert ", 2 not copied" in copied.stdout
    assert "not copied: anna anna-deposit-month: what is stored under" in copied.stderr
    verified = call("migrate", "verify", "--repair", *forth, folder=file.parent, settings=settings)
    assert verified.returncode == 1
    assert ": 2 differ, 0 repaired" in verified.stdout
    for side, (user, limit_id) in (("source", DAMAGED), ("target", ("anna", "anna-deposit-month"))):
        assert f"{user} {limit_id}: cannot be read: the {side}: what is stored under" in verified.stderr
    again = call("migrate", "verify", *forth, folder=file.parent, settings=settings)
    assert again.stdout.replace(": 2 differ", ": 2 differ, 0 repaired") == verified.stdout
    status = call("migrate", "status", *forth, folder=file.parent, settings=settings)
    items = len(list(SQLiteRepository(file, Limit).scan(on_unreadable=lambda *_: None))) + 1
    counted = [f"{items:,} items" in status.stdout, f"{items - 1:,} items" in status.stdout]
    assert (status.returncode, counted) == (0, [True, True])
    of_source, of_target = status.stderr.splitlines()
    assert of_source.startswith(f"cannot be read: {SAID}'limits.db' is no Limit")
    said = SAID.replace(DAMAGED[1], "anna-deposit-month")
    assert of_target.startswith(f"cannot be read: {said}'other.db' is no Limit")


@pytest.mark.parametrize("phase", [Phase.DUAL, Phase.TARGET_DUAL])
@pytest.mark.parametrize("name", ["source", "target"])
def test_a_handler_that_writes_two_stores_fails_its_key_alone(
    tmp_path: Path, phase: Phase, name: str
) -> None:
    sides = {side: SQLiteRepository(tmp_path / side, Limit) for side in Side}
    moving = MovingRepository(sides, lambda: phase)
    stored = [aggregate(limit("usr", sort)) for sort in ("a", "b")]
    assert moving.save([Change(None, each) for each in stored]) == Saved()
    damage(tmp_path / name, "a")
    loaded = moving.load([each.key for each in stored])
    assert loaded.found.keys() == {("usr", "b")}
    assert isinstance(loaded.failed["usr", "a"], UnreadableError), "waiting does not help"
    with pytest.raises(UnreadableError):  # it is as it was
        list(sides[Side(name)].scan())


def test_the_api_lists_all_others_and_names_it(tmp_path: Path) -> None:
    repository = SQLiteRepository(tmp_path / "limits.db", Limit)
    repository.save([Change(None, aggregate(limit("usr", name))) for name in ("a", "b", "c", "d")])
    app = TestClient(build_api(repository, Options()))
    whole = app.get(LIMITS)
    damage(tmp_path / "limits.db", "b")
    for path in (LIMITS, f"{LIMITS}/active"):
        listed = app.get(path, headers={"if-none-match": whole.headers["etag"]})
        assert [each["limitId"] for each in listed.json()["data"]] == ["a", "c", "d"]
        assert listed.json()["meta"] == {"count": 3, "nextCursor": None, "unreadable": ["b"]}
        named = [app.get(path, params={"limit": 1}).json()]
        while cursor := named[-1]["meta"]["nextCursor"]:
            named.append(app.get(path, params={"limit": 1, "cursor": cursor}).json())
        assert [each["limitId"] for page in named for each in page["data"]] == ["a", "c", "d"]
        assert [name for page in named for name in page["meta"].get("unreadable", [])] == ["b"]


def test_the_api_answers_for_it_that_waiting_does_not_help(tmp_path: Path) -> None:
    repository = SQLiteRepository(tmp_path / "limits.db", Limit)
    repository.save([Change(None, aggregate(limit("usr", "a")))])
    damage(tmp_path / "limits.db", "a")
    response = TestClient(build_api(repository, Options())).get(f"{LIMITS}/a")
    told = problem(response, 500)
    assert told["instance"].startswith("urn:uuid:")
    assert "retry-after" not in response.headers
    assert "limits.db" not in response.text


def test_it_is_no_outage_that_consume_would_wait_for(tmp_path: Path) -> None:
    repository = SQLiteRepository(tmp_path / "limits.db", Limit)
    repository.save([Change(None, aggregate(limit("usr", "a")))])
    damage(tmp_path / "limits.db", "a")
    waits: list[str] = []
    application = Application(KinesisHandler([UserLimitEventProcessor(repository)]), [])
    delivery = Delivery(application, batch_size=10, retries=0)
    mapping = delivery.mapping("shard", lambda _, why="": waits.append(why))
    ids = {"userId": "usr", "userLimitId": "a"}
    payload = {**ids, "value": 1}
    event = {
        "eventId": "1",
        "type": "USER_LIMIT_CREATED",
        "createdAt": 1,
        "aggregateId": "usr",
        "payload": payload,
    }
    list(mapping.run(invocation([event])["Records"]))
    delivery.settle("shard")
    assert waits == []
    [failed] = delivery.total().failed
    assert isinstance(failed.outcome.error, UnreadableError)


def test_a_checkpoint_that_is_damaged_is_named_and_no_shard_is_begun_anew(tmp_path: Path) -> None:
    repository = SQLiteRepository(tmp_path / "limits.db", Checkpoint, table="checkpoints")
    Checkpoints(repository, "stream").begin(lambda: ["shard-1"], Checkpoint(), 1)
    damage(tmp_path / "limits.db", "shard-1", "checkpoints")
    with pytest.raises(RepositoryError, match=r"what is stored under \('stream', 'shard-1'\)"):
        Checkpoints(repository, "stream").load()
