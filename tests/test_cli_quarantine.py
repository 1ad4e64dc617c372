"""`quarantine list` and `show`: what was rejected, why, and since when."""

import base64
import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from command_line import call
from kinesis_handler import KinesisHandler
from kinesis_handler.quarantine.contents import Done, marks, read_contents, waiting_in
from kinesis_handler.quarantine.directory import DirectoryQuarantine
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import invocation
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

INCOMPLETE = {
    "eventId": "evt-2",
    "type": "USER_LIMIT_CREATED",
    "createdAt": 1,
    "payload": {"userId": "anna \x1b[2J"},
}


def command(folder: Path, *arguments: str) -> CompletedProcess[str]:
    settings = {"QUARANTINE_URL": f"file://{folder}" if folder.name else ""}
    return call("quarantine", *arguments, settings=settings)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a quarantine with three records, rejected for two reasons."""
    repository = MemoryRepository[Limit]()
    handler = KinesisHandler(
        [UserLimitEventProcessor(repository)], quarantine=DirectoryQuarantine(tmp_path / "rejected")
    )
    batch = invocation([INCOMPLETE, INCOMPLETE, b"\xff"])
    for place, record in enumerate(batch["Records"]):
        record["kinesis"]["approximateArrivalTimestamp"] = 1_795_000_000.25 + place
    handler(batch)
    return tmp_path / "rejected"


def test_the_list_counts_the_records_of_each_reason(folder: Path) -> None:
    done = command(folder, "list")
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert lines[0].split() == ["records", "first", "last", "error", "reason"]
    assert lines[1].split()[:4] == [
        "2",
        "2026-11-18T11:06:40.250Z",
        "2026-11-18T11:06:41.250Z",
        "InvalidEventError",
    ]
    assert "Object missing required field `userLimitId`" in " ".join(" ".join(lines[1:3]).split())
    assert lines[3].split()[0] == "1"


def test_the_list_is_there_for_machines(folder: Path) -> None:
    groups = json.loads(command(folder, "list", "--json").stdout)
    assert {group["records"] for group in groups} == {1, 2}
    assert groups[0].keys() == {"error", "reason", "records", "first", "last"}


def test_a_record_is_shown_with_its_place_the_reason_and_its_data_the_latest_first(folder: Path) -> None:
    shown = command(folder, "show").stdout
    assert shown.index("11:06:42") < shown.index("11:06:41") < shown.index("11:06:40")
    assert "event evt-2 of type USER_LIMIT_CREATED" in shown
    assert '"userId":"anna' in shown
    assert "\x1b" not in shown, "a terminal would obey it"


def test_only_the_records_of_a_reason_are_shown(folder: Path) -> None:
    [entry] = json.loads(command(folder, "show", "--reason", "UTF-8", "--json").stdout)
    assert base64.b64decode(entry["data"]) == b"\xff"
    assert len(json.loads(command(folder, "show", "--reason", "InvalidEvent", "--json").stdout)) == 3
    assert command(folder, "show", "--reason", "nothing like it").stdout == "nothing is waiting\n"


def test_no_more_records_are_shown_than_asked_for(folder: Path) -> None:
    assert command(folder, "show", "--limit", "1").stdout.endswith("… and 2 more: --limit shows them\n")
    assert len(json.loads(command(folder, "show", "--limit", "2", "--json").stdout)) == 2


def test_an_empty_quarantine_is_reported(tmp_path: Path) -> None:
    for name in ("list", "show"):
        assert command(tmp_path / "new", name).stdout == "nothing is waiting\n"
        assert command(tmp_path / "new", name, "--json").stdout == "[]\n"


def test_without_a_quarantine_there_is_nothing_to_read() -> None:
    done = command(Path(), "list")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: there is no quarantine: the settings name none\n"


def test_what_is_done_with_is_counted_and_not_shown(folder: Path) -> None:
    kept = DirectoryQuarantine(folder)
    waiting = waiting_in([read_contents(kept)])
    last = max(waiting)
    kept.keep(*marks(waiting[last].name, {last: Done("applied")}, "handler", 1_795_000_000))
    told = command(folder, "list").stdout
    assert told.endswith("1 more is done with\n")
    assert [line.split()[0] for line in told.splitlines() if "InvalidEventError" in line] == ["2"]
    assert len(json.loads(command(folder, "show", "--json").stdout)) == 2


def test_a_batch_whose_records_are_on_the_stream_only_is_reported(folder: Path) -> None:
    info = {
        "shardId": "shardId-000000000007",
        "startSequenceNumber": "17",
        "endSequenceNumber": "21",
        "batchSize": 4,
        "streamArn": "arn:aws:kinesis:eu-west-1:123456789012:stream/limits",
    }
    document = {"requestContext": {"condition": "RecordAgeExceeded"}, "KinesisBatchInfo": info}
    (folder / "batch.json").write_text(json.dumps(document))
    told = command(folder, "list").stdout.splitlines()[-1]
    assert told == "4 records of shardId-000000000007 from 17 are on the stream only: `redrive` fetches them"


def test_something_else_in_the_folder_is_named_and_the_rest_is_shown(folder: Path) -> None:
    (folder / "other.jsonl").write_text("{}\n")
    done = command(folder, "show")
    assert done.returncode == 1
    assert done.stderr.startswith("not read: other.jsonl: it holds something else, or is damaged (")
    assert done.stdout.count("InvalidEventError") == 3
