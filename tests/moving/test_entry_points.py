"""The entry points of a move: its commands and settings, what the handler writes, what is shown."""

import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from command_line import EVENTS, call
from kinesis_handler import ConfigurationError
from kinesis_handler.moving import switch
from kinesis_handler.stores import open_store
from kinesis_handler.testing import invocation
from testkit.tables import Tables
from user_limits.activity import Activity
from user_limits.wiring import api, application, consumer

NEW = "sqlite:///new.db"
SQLITE = {"REPOSITORY_TYPE": "sqlite", "STORAGE_TTL": "0", "LOG_LEVEL": "error"}


@pytest.fixture
def command(tmp_path: Path) -> Any:
    """Return what runs a command in a folder of its own, on a file."""
    settings = {**SQLITE, "KINESIS_HANDLER_APP": "user_limits.wiring:application"}
    return lambda line, **more: call(*line.split(), folder=tmp_path, settings={**settings, **more})


def test_one_file_is_copied_into_another_and_compared_and_not_into_itself(
    command: Any, tmp_path: Path
) -> None:
    command(f"run {EVENTS}")
    progress = {"names": ["sqlite:///limits.db", f"{NEW}3"], "seen": 7, "uncopied": 1, "named": ["a b: c"]}
    (tmp_path / "cut").write_text(json.dumps(progress))
    for line, status, printed in (
        ("status", 2, r".*MIGRATION_TARGET is not set: set it, or say --to URL\n"),
        (f"copy --from {NEW} --to {NEW}", 2, f".*--to is '{NEW}': that is the source itself.*"),
        (f"status --to {NEW}", 0, r"phase +none.* 0 items, not written\nnext +source: set MIGRATION_PHASE.*"),
        (f"verify --to {NEW}", 1, r".*: only in the source\n(\d+) compared: \1 differ\n"),
        (f"copy --to {NEW}", 0, r"(\d+) read: \1 written, 0 there already\n"),
        (f"copy --to {NEW}", 0, r"(\d+) read: 0 written, \1 there already\n"),
        (f"verify --to {NEW}", 0, r"\d+ compared: 0 differ\n"),
        (f"copy --to {NEW}3 --progress cut", 1, r"resumes behind 7 .*, 1 not copied\nnot copied: a b: c\n"),
        (f"verify --repair --to {NEW}2", 0, r".* \(repaired\)\n(\d+) .*: \1 differ, \1 repaired\n"),
    ):
        done = command(f"migrate {line}")
        assert re.fullmatch(printed, done.stdout + done.stderr, re.DOTALL), done
        assert done.returncode == status


def test_what_happened_to_the_limits_moves_with_them_and_a_copy_resumes_in_each(
    command: Any, tmp_path: Path
) -> None:
    command(f"run {EVENTS}")
    stores = (open_store(f"sqlite:///{tmp_path}/{name}.db") for name in ("limits", "new"))
    old, new = (store.repository(Activity, name="activity") for store in stores)
    *_, behind, last = old.scan()
    cut = {"names": ["sqlite:///limits.db", NEW], "seen": 5}
    cut["after"] = {"": ["zoe", "z"], "activity": behind.key}
    (tmp_path / "migrate-copy.json").write_text(json.dumps(cut))
    done = command(f"migrate copy --to {NEW}")
    assert done.stdout == "resumes behind 5 items\n6 read: 1 written, 5 there already\n"
    assert list(tmp_path.glob("migrate-copy*")) == []
    assert list(new.scan()) == [last]
    command(f"migrate verify --repair --to {NEW}")
    new.delete([last.key])
    verified = command(f"migrate verify --to {NEW}")
    assert re.fullmatch(f"{' '.join(last.key)}, activity: only in the .*\n.*: 1 differ\n", verified.stdout)


def test_a_program_reads_how_far_a_move_is_and_what_differs(command: Any) -> None:
    command(f"run {EVENTS}")
    shown = json.loads(command(f"migrate status --to {NEW} --json").stdout)
    assert (shown["phase"], shown["next"][0]["step"]) == (None, "source")
    assert shown["sides"]["target"] == {"store": NEW, "role": "not written", "items": 0, "unreadable": []}
    done = [command(f"migrate verify {option} --to {NEW} --json") for option in ("", "--repair")]
    found, repaired = (json.loads(each.stdout) for each in done)
    assert [each.returncode for each in done] == [1, 0]
    assert found["compared"] == found["differ"] == repaired["repaired"] > found["repaired"] == 0
    assert found["differences"][0]["what"] == "only in the source"


@pytest.mark.parametrize(
    "lines",
    [
        "source|decides|not written|dual: at once",
        "dual|decides|replica|target-dual: after `migrate copy` and a.*|source: at once;.*",
        "target-dual|replica|decides|target: at once|dual: after `migrate copy` and a.*",
        "target|not written|decides|the end: remove the settings.*|target-dual: at once",
    ],
)
def test_the_status_says_who_decides_and_which_steps_may_be_taken(command: Any, lines: str) -> None:
    settings = {"MIGRATION_TARGET": NEW, "MIGRATION_PHASE": lines.partition("|")[0]}
    shown = command("migrate status", **settings).stdout.splitlines()
    for line, expected in zip(shown, lines.split("|"), strict=True):
        assert re.search(rf"(  |, ){expected}$", line), line


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ("PHASE=dual-write TARGET=x", "PHASE is .*; allowed: source, dual, target-dual, target, file://"),
        ("PHASE=file://phase TARGET=x", "PHASE is .*; allowed: "),
        ("PHASE=appconfig://a/b/c?x=y TARGET=x", "PHASE is .*; allowed: "),
        (f"PHASE=dual TARGET={NEW} READ=dual", "READ is 'dual'; allowed: source, target, file:///"),
        ("PHASE=source", "PHASE is set and MIGRATION_TARGET is not: it takes both"),
        (f"TARGET={NEW}", "TARGET is set and MIGRATION_PHASE is not: it takes both"),
        ("READ=source", "READ is set and MIGRATION_TARGET is not: there is one store"),
        ("PHASE=dual TARGET=x", "TARGET is 'x': the store is 'x'; allowed:"),
    ],
)
def test_a_setting_of_a_move_that_is_wrong_or_alone_stops_the_start(settings: str, error: str) -> None:
    with pytest.raises(ConfigurationError, match=f"MIGRATION_{error}"):
        application(dict(f"MIGRATION_{each}".split("=", 1) for each in settings.split()))


def test_the_handler_writes_by_the_phase_and_what_is_shown_has_a_flag_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch, "FILE_EVERY", 0)
    source, target = f"{tmp_path}/source.db", f"sqlite:///{tmp_path}/target.db"
    settings = {**SQLITE, "SQLITE_PATH": source, "MIGRATION_TARGET": target}
    settings["MIGRATION_PHASE"] = f"file://{tmp_path}/phase"
    handler, by_flag = consumer(settings), {**settings, "MIGRATION_READ": f"file://{tmp_path}/read"}
    shown = [application(each).views[0].repository for each in (settings, by_flag)]

    def create(user: str) -> bool:
        body = {"eventId": user, "type": "USER_LIMIT_CREATED", "createdAt": 1}
        body |= {"payload": {"userId": user, "userLimitId": "bet", "value": "10"}}
        return handler(invocation([body]), None) == {"batchItemFailures": []}

    assert not create("anna"), "no phase is guessed"
    both = {"dual", "target-dual"}
    for phase, side, by_phase, by_side in (
        ("source", "target", {"source"}, set()),
        ("dual", "target", {"source", "dual"}, {"dual"}),
        ("target-dual", "source", both, {"source", *both}),
        ("target", "source", {"target", *both}, {"source", *both}),
        ("target", "target", {"target", *both}, {"target", *both}),
    ):
        (tmp_path / "phase").write_text(phase)
        (tmp_path / "read").write_text(side)
        assert create(phase)
        assert [{each.key[0] for each in view.scan()} for view in shown] == [by_phase, by_side]
        users = [view.load([(phase, "bet")]).found.keys() for view in shown]
        assert users == [{(phase, "bet")}, {(phase, "bet")} if phase in by_side else set()]


def test_a_table_that_is_missing_stops_the_start_and_a_store_that_is_down_does_not(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", tables.endpoint)
    old, new = f"Old{uuid4().hex}", f"dynamodb://New{uuid4().hex}"
    moving = {"REPOSITORY_TYPE": "dynamodb", "USER_LIMIT_TABLE_NAME": old, "MIGRATION_TARGET": new}
    moving |= {"MIGRATION_PHASE": "source", "AUTH": "none"}
    errors = [f"USER_LIMIT_TABLE_NAME is '{old}': .*not exist; `kinesis-handler table create` makes"] * 2
    errors += [f"MIGRATION_TARGET is '{new}': .*; `kinesis-handler table create --store {new}` makes it"] * 2
    for table, error in zip(application(moving).tables, errors, strict=True):
        for start in (consumer, api):
            with pytest.raises(ConfigurationError, match=error):
                start(moving)
        table.create()
    for start in (consumer, api):
        start(moving)
        start({**moving, "MIGRATION_TARGET": f"{new}?endpoint=http://127.0.0.1:1"})
