"""The process that the daemon of `worker --daemon` starts for a shard, over the daemon's own protocol."""

import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kcl.library import ARN, SHARD
from kinesis_handler.cli.worker import OPTIONS, SHARD_PROCESS, Options
from kinesis_handler.quarantine.contents import read_contents, waiting_in
from kinesis_handler.quarantine.directory import DirectoryQuarantine
from kinesis_handler.stores.sqlite import SQLiteRepository
from stream.facts import created, unknown
from user_limits.limit import Limit

pytestmark = pytest.mark.other_programs

START = {"action": "initialize", "shardId": SHARD, "sequenceNumber": "TRIM_HORIZON", "subSequenceNumber": 0}


def record(number: int, data: bytes, sub: int = 0) -> dict[str, Any]:
    return {
        "action": "record",
        "sequenceNumber": str(number),
        "subSequenceNumber": sub,
        "approximateArrivalTimestamp": 1_700_000_000_000,
        "partitionKey": "anna",
        "data": b64encode(data).decode(),
    }


class Daemon:
    """The daemon's end of the pipes: it sends an action, and answers checkpoints until it is done."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.checkpoints: list[tuple[str | None, int | None]] = []

    def send(self, action: dict[str, Any], error: str | None = None) -> None:
        """Send an action, and wait until its status is reported. All that it reads must be the protocol's."""
        self._write(action)
        while True:
            assert self.process.stdout
            line = self.process.stdout.readline()
            assert line, "it has ended"
            if not line.strip():
                continue
            message = json.loads(line)
            if message["action"] == "status":
                assert message["responseFor"] == action["action"]
                return
            where = message["sequenceNumber"], message["subSequenceNumber"]
            if error is None:
                self.checkpoints.append(where)
            self._write(
                {
                    "action": "checkpoint",
                    "sequenceNumber": where[0],
                    "subSequenceNumber": where[1],
                    "error": error,
                }
            )

    def process_records(self, *records: dict[str, Any], error: str | None = None) -> None:
        self.send(
            {"action": "processRecords", "millisBehindLatest": 0, "records": list(records)}, error=error
        )

    def _write(self, message: dict[str, Any]) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()


@contextmanager
def shard_process(
    folder: Path, *, app: str = "user_limits.wiring:application", park_after: str = "never"
) -> Iterator[Daemon]:
    options = Options(ARN, f"{ARN}:1", app, f"sqlite:///{folder / 'limits.db'}", 100, 0, None, 1)
    settings = {
        **os.environ,
        OPTIONS: msgspec.json.encode(options).decode(),
        "LOG_LEVEL": "debug",
        "STORAGE_TTL": "0",
        "QUARANTINE_URL": (folder / "kept").as_uri(),
        "PARK_AFTER": park_after,
    }
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-m", SHARD_PROCESS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=settings,
        ) as process,
    ):
        try:
            yield Daemon(process)
        finally:
            process.kill()


def applied(folder: Path) -> int:
    return sum(each.version for each in SQLiteRepository(folder / "limits.db", Limit).scan())


def test_logs_leave_standard_output_to_the_protocol_and_checkpoints_are_behind_what_is_settled(
    tmp_path: Path,
) -> None:
    with shard_process(tmp_path) as daemon:
        daemon.send(START)
        daemon.process_records(record(1, created(1)), record(2, b"no event"), record(3, unknown(3)))
        assert applied(tmp_path) == 1
        daemon.process_records()
        daemon.process_records(*(record(4, created(4 + each), each) for each in range(3)))
        assert applied(tmp_path) == 4
        daemon.send({"action": "shardEnded"})
        assert daemon.process.stdin
        daemon.process.stdin.close()
        assert daemon.process.wait(20) == 0
    assert daemon.checkpoints == [("3", 0), ("4", 2), (None, None)]
    log = (tmp_path / "log").read_text()
    assert '"message":"batch handled"' in log
    assert len(list((tmp_path / "kept").iterdir())) > 0


def test_what_fails_at_its_last_delivery_is_parked_and_what_comes_later_waits_behind_it(
    tmp_path: Path,
) -> None:
    with shard_process(tmp_path, park_after="60") as daemon:
        daemon.send(START)
        daemon.process_records(record(1, unknown(1)), record(2, created(2)))
        daemon.process_records(record(3, unknown(1)))
    assert daemon.checkpoints == [("2", 0), ("3", 0)]
    stored = SQLiteRepository(tmp_path / "limits.db", Limit).scan_stored()
    assert [each.parked.count for each in stored if each.parked is not None] == [2]
    assert applied(tmp_path) == 1
    waiting = waiting_in([read_contents(DirectoryQuarantine(tmp_path / "kept"))]).values()
    assert [each.entry.error for each in waiting] == ["BusinessError", "ParkedError"]


def test_after_a_lost_lease_it_takes_no_more(tmp_path: Path) -> None:
    with shard_process(tmp_path) as daemon:
        daemon.send(START)
        daemon.process_records(record(1, created(1)), error="ShutdownException")
        daemon.process_records(record(2, created(2)))
        daemon.send({"action": "leaseLost"})
    assert applied(tmp_path) == 1
    assert daemon.checkpoints == []


def test_when_the_daemon_is_gone_it_ends(tmp_path: Path) -> None:
    with shard_process(tmp_path) as daemon:
        daemon.send(START)
        assert daemon.process.stdin
        daemon.process.stdin.close()
        assert daemon.process.wait(20) == 0


def test_what_its_application_writes_to_standard_output_goes_to_standard_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "chatty.py").write_text(
        "import os\nprint('hello')\nos.system('echo hello too')\nfrom user_limits.wiring import application\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with shard_process(tmp_path, app="chatty:application") as daemon:
        daemon.send(START)
        daemon.process_records(record(1, created(1)))
    log = (tmp_path / "log").read_text()
    assert "hello\n" in log
    assert "hello too\n" in log
