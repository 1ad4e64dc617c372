"""`redrive` as a person calls it."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

import pytest

from command_line import COMMAND, DUMB, PATIENCE, call
from kinesis_handler import ConfigurationError, KinesisHandler
from kinesis_handler.cli.times import FORMS
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.quarantine.contents import read_contents, read_quarantines, waiting_in
from kinesis_handler.quarantine.directory import DirectoryQuarantine
from kinesis_handler.stores.sqlite import SQLiteRepository
from redrive.documents import KEY, metadata, whole
from redrive.stream import Stream
from redrive.waiting import (
    StrictProcessor,
    clean_pass,
    created,
    data_of,
    give_up,
    on_shard,
    open_in,
    progress,
    repository,
    state_of,
)
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor
from user_limits.wiring import application

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

DAY = "2026-11-18T11:06:"
ACCEPT_ON_STREAM = (
    "--accept-too-late is only for --through handler: what becomes of a record that is put onto the stream "
    "is not known here"
)
MISSING = "Object missing required field `brandId` - at `$.payload`"


class Shell:
    """A shell in an empty folder, with a quarantine and a store in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.quarantine = DirectoryQuarantine(folder / "rejected")
        self.settings = {
            "COLUMNS": "200",
            "LOG_LEVEL": "error",
            "REPOSITORY_TYPE": "sqlite",
            "STORAGE_TTL": "0",
            "QUARANTINE_URL": f"file://{folder}/rejected",
        }

    def __call__(self, *arguments: str, **settings: str) -> CompletedProcess[str]:
        return call(*arguments, folder=self.folder, settings=self.settings | settings)

    def store(self) -> SQLiteRepository[Limit]:
        return SQLiteRepository(self.folder / "limits.db", Limit)

    def reject(self, *events: object, first: int = 0) -> list[LambdaRecord]:
        """Keep what a handler rejects whose schema is too narrow; return all records."""
        records = on_shard(events, first=first)
        KinesisHandler([StrictProcessor(repository())], quarantine=self.quarantine)({"Records": records})
        return records

    def files(self) -> dict[str, bytes]:
        """Return each file in the folder, but for the store's."""
        return {
            str(path): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file() and not path.name.startswith("limits.db")
        }


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def lines(text: str) -> list[str]:
    """Return the lines, with single spaces."""
    return [" ".join(line.split()) for line in text.splitlines()]


def test_what_would_be_sent_is_reported_and_nothing_is_changed_then_it_is_sent_once(shell: Shell) -> None:
    records = shell.reject(created("e1"), created("e2", "ben"))
    records += on_shard([progress("e3", 5)], first=2)
    give_up(shell.quarantine, records[2:])
    before = shell.files()
    tried = shell("redrive", "--through", "handler", "--dry-run")
    assert (tried.returncode, tried.stderr) == (0, "")
    assert lines(tried.stdout) == [
        "records first last error reason",
        f"2 {DAY}40.250Z {DAY}41.250Z InvalidEventError {MISSING}",
        f"1 {DAY}42.250Z {DAY}42.250Z RetryAttemptsExhausted given up after 3 deliveries",
    ]
    assert shell.files() == before
    assert state_of(shell.store()) == {}

    done = shell("redrive", "--through", "handler")
    assert (done.returncode, done.stdout, done.stderr) == (0, "3 records: 3 applied\n", "")
    assert state_of(shell.store()) == clean_pass(records)
    assert shell.files().items() > before.items(), "nothing is deleted unless asked"
    assert shell("quarantine", "list").stdout == "nothing is waiting\n3 more are done with\n"

    again = shell("redrive", "--through", "handler", "--delete")
    assert (again.returncode, again.stdout) == (0, "0 records: 2 objects removed\n")
    assert shell.files() == {}
    assert state_of(shell.store()) == clean_pass(records)


def test_what_is_left_is_reported_with_its_new_reason_and_only_what_is_done_with_is_removed(
    shell: Shell,
) -> None:
    shell.reject(created("e1"))
    give_up(shell.quarantine, on_shard([progress("e2", 5, "ben"), progress("e3", 6, "ben")], first=1))
    done = shell("redrive", "--through", "handler", "--delete")
    assert done.returncode == 1
    told = lines(done.stdout)
    assert told[0] == "3 records: 2 failed again, 1 applied, 1 object removed"
    assert len(told) == 4
    reasons = " ".join(told[2:])
    assert "an earlier event of the same key failed" in reasons
    assert "limit" in reasons
    assert open_in(shell.quarantine) == [1, 2]
    assert [name.rpartition(".")[2] for name in shell.files()] == ["json"]


def test_only_what_is_chosen_by_reason_and_arrival_is_sent(shell: Shell) -> None:
    old, new = on_shard([created("e1"), created("e2", "ben")])
    new["kinesis"]["approximateArrivalTimestamp"] = time.time() - 60
    old["kinesis"]["approximateArrivalTimestamp"] = time.time() - 7_200
    for each in (old, new):
        KinesisHandler([StrictProcessor(repository())], quarantine=shell.quarantine)({"Records": [each]})
    give_up(shell.quarantine, on_shard([created("e3", "carl")], first=2))
    through = ("redrive", "--through", "handler")
    assert shell(*through, "--since", "1h").stdout == "1 record: 1 applied\n"
    assert open_in(shell.quarantine) == [0, 2]
    assert shell(*through, "--reason", "RetryAttempts").stdout == "1 record: 1 applied\n"
    assert open_in(shell.quarantine) == [0]
    assert set(state_of(shell.store())) == {("ben", "bet"), ("carl", "bet")}


@pytest.mark.parametrize(
    ("arguments", "settings", "told"),
    [
        (
            ["--through", "handler", "--since", "yesterday"],
            {},
            f"--since is 'yesterday'; allowed: {FORMS}",
        ),
        (
            ["--through", "handler", "--stream", "other"],
            {},
            "--stream is 'other'; it is only for --through stream",
        ),
        (
            ["--through", "stream", "--accept-too-late"],
            {},
            ACCEPT_ON_STREAM,
        ),
        (
            ["--through", "stream", "--queue", "http://127.0.0.1:1/1/queue"],
            {"QUARANTINE_URL": "", "ON_FAILURE_URL": "file:///nowhere"},
            "--queue needs a quarantine to keep the records in: the settings name none",
        ),
        (
            ["--through", "handler", "--stream", "other", "--dry-run"],
            {},
            "--stream is 'other'; it is only for --through stream",
        ),
        (
            ["--through", "handler"],
            {"QUARANTINE_URL": ""},
            "there is no quarantine: the settings name none",
        ),
        (
            ["--through", "handler"],
            {"ON_FAILURE_URL": "bucket/prefix"},
            "ON_FAILURE_URL is 'bucket/prefix'; allowed: file:///FOLDER or s3://BUCKET/PREFIX",
        ),
    ],
)
def test_what_cannot_work_is_reported_in_a_sentence(
    shell: Shell, arguments: list[str], settings: dict[str, str], told: str
) -> None:
    shell.reject(created("e1"))
    done = shell("redrive", *arguments, **settings)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"Error: {told}\n")
    assert open_in(shell.quarantine) == [0]


def test_the_way_has_to_be_said(shell: Shell) -> None:
    done = shell("redrive")
    assert done.returncode == 2
    assert "Missing option '--through'" in done.stderr


def test_something_else_in_the_quarantine_is_named_and_the_rest_is_sent(shell: Shell) -> None:
    shell.reject(created("e1"))
    [path] = shell.files()
    Path(path).write_text(
        re.sub(r'"sequenceNumber":"\d+"', '"sequenceNumber":"many"', Path(path).read_text())
    )
    shell.reject(created("e2", "ben"), first=1)
    done = shell("redrive", "--through", "handler")
    assert (done.returncode, done.stdout) == (1, "1 record: 1 applied\n")
    name = Path(path).relative_to(shell.folder / "rejected")
    assert done.stderr.startswith(f"not read: {name}: it holds something else, or is damaged (")
    assert len(done.stderr.splitlines()) == 1


def test_what_lambda_gave_up_is_read_from_the_folder_of_the_setting(shell: Shell) -> None:
    records = shell.reject(created("e1")) + on_shard([progress("e2", 5)], first=1)
    on_failure = DirectoryQuarantine(shell.folder / "given-up")
    on_failure.keep(KEY, whole(records[1:]))
    shell.settings["ON_FAILURE_URL"] = f"file://{shell.folder}/given-up"
    listed = shell("quarantine", "list", "--json")
    assert [each["error"] for each in json.loads(listed.stdout)] == [
        "InvalidEventError",
        "RetryAttemptsExhausted",
    ]
    done = shell("redrive", "--through", "handler")
    assert done.stdout == "2 records: 2 applied\n"
    assert state_of(shell.store()) == clean_pass(records)
    assert open_in(shell.quarantine, on_failure) == []
    assert KEY in list(on_failure.names())


def test_what_lambda_gave_up_is_read_from_the_bucket_of_the_setting(
    bucket: str, s3_client: "S3Client"
) -> None:
    s3_client.put_object(Bucket=bucket, Key=KEY, Body=whole(on_shard([created("e1")])))
    built = application({"ON_FAILURE_URL": f"s3://{bucket}/aws", "AWS_REGION": "us-east-1"})
    [contents] = read_quarantines(built.quarantines)
    assert list(contents.objects) == [KEY.removeprefix("aws/")]


@pytest.mark.parametrize("url", ["given-up", "file://given-up", "s3://", "s3://Bucket", "sqs://queue"])
def test_a_setting_that_names_no_place_stops_the_start(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        application({"ON_FAILURE_URL": url})
    assert str(caught.value) == f"ON_FAILURE_URL is {url!r}; allowed: file:///FOLDER or s3://BUCKET/PREFIX"


APPLICATION = '''
import signal
import time
from pathlib import Path

from msgspec.structs import replace

from kinesis_handler.quarantine.directory import DirectoryQuarantine
from user_limits.processor import UserLimitEventProcessor
from user_limits.wiring import application as built

signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where a shell runs the tests behind


class Stopped(DirectoryQuarantine):
    """Waits for its end when the second batch has been sent, and not been marked."""

    marks = 0

    def keep(self, name, content):
        self.marks += name.startswith("done/")
        if self.marks == 2:
            Path("sent").touch()
            while True:  # a pause would miss a signal that comes just before it
                time.sleep(0.02)
        super().keep(name, content)


def application():
    return replace(built(), quarantine=Stopped("rejected"))
'''


@contextmanager
def running(shell: Shell, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command, and see that it ends."""
    with subprocess.Popen(
        [COMMAND, *arguments],
        cwd=shell.folder,
        env=os.environ | DUMB | shell.settings,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.other_programs
def test_who_is_interrupted_and_run_again_forgets_nothing_and_applies_nothing_twice(
    shell: Shell, signal_number: signal.Signals
) -> None:
    (shell.folder / "stopping.py").write_text(APPLICATION)
    users = ["anna", "ben", "carl"]
    events = [created(f"c-{user}", user) for user in users]
    events += [progress(f"e{number}", 1, users[number % 3]) for number in range(247)]
    records = on_shard(events)
    for start in (0, 100, 200):
        give_up(shell.quarantine, records[start : start + 100])
    with running(shell, "redrive", "--through", "handler", "--app", "stopping:application") as process:
        deadline = time.monotonic() + PATIENCE
        while not (shell.folder / "sent").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal_number)
        _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert "Traceback" not in told
    assert sum(each.version for each in state_of(shell.store()).values()) == 32
    assert open_in(shell.quarantine) == list(range(16, 250))

    done = shell("redrive", "--through", "handler")
    assert (done.returncode, done.stdout) == (0, "234 records: 218 applied, 16 duplicate\n")
    assert state_of(shell.store()) == clean_pass(records)
    assert open_in(shell.quarantine) == []


def test_records_of_a_queue_and_of_the_folder_go_onto_a_stream_and_what_is_gone_is_reported(
    shell: Shell, stream: Stream, kinesis_endpoint: str, queue_url: str, sqs_client: "SQSClient"
) -> None:
    shell.settings["AWS_ENDPOINT_URL_KINESIS"] = kinesis_endpoint
    events = [created("e1"), progress("e2", 5), created("e3", "ben")]
    for event in events:
        stream.put(event["payload"]["userId"], data_of(event))
    records = stream.records()
    other = Stream(stream.client)
    gone = on_shard([created("e0")], stream=stream.arn)
    for each in (records[:1], gone):
        sqs_client.send_message(QueueUrl=queue_url, MessageBody=metadata(each))
    shell.quarantine.keep(KEY, metadata(records[1:]).encode())

    before = shell.files()
    arguments = ["redrive", "--through", "stream", "--stream", other.name, "--queue", queue_url]
    tried = shell(*arguments, "--dry-run")
    assert (tried.returncode, tried.stdout.splitlines()) == (
        0,
        [
            "nothing is waiting",
            "and 2 records that would be fetched from the stream first",
            "and what about 2 messages of the queue refer to",
        ],
    )
    assert shell.files() == before
    assert "`redrive` fetches them" in shell("quarantine", "list").stdout

    done = shell(*arguments)
    assert (done.returncode, done.stderr) == (1, "")
    first, unknown, *more = lines(done.stdout)
    assert first == "3 records: 3 put onto the stream"
    assert unknown == "what becomes of those on the stream, its consumer decides: see its log"
    place = f"shardId-000000000000 from {gone[0]['kinesis']['sequenceNumber']}"
    assert " ".join(more).startswith(f"not fetched: {place}: ")
    assert sorted(other.content()) == sorted((each["payload"]["userId"], data_of(each)) for each in events)
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    left = sqs_client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)  # type: ignore[arg-type]
    assert sum(map(int, left["Attributes"].values())) == 1


def test_what_run_gives_up_is_kept_and_goes_through_when_it_can(shell: Shell) -> None:
    early, late = on_shard([progress("e2", 5)], first=1), on_shard([created("e1")])
    early[0]["kinesis"]["approximateArrivalTimestamp"] = time.time()  # or it would be parked at once
    (shell.folder / "early.json").write_text(json.dumps({"Records": early}))
    assert shell("run", "early.json", "--retries", "0", PARK_AFTER="never").returncode == 1
    KinesisHandler([UserLimitEventProcessor(shell.store())])({"Records": late})
    [(_, _, entry)] = waiting_in([read_contents(shell.quarantine)]).values()
    assert (entry.error, entry.reason) == ("RetryAttemptsExhausted", "given up after 1 delivery")
    assert shell("redrive", "--through", "handler").returncode == 0
    assert state_of(shell.store()) == clean_pass([*late, *early])


def test_what_comes_too_late_is_reported_and_stays_until_that_is_accepted(shell: Shell) -> None:
    records = on_shard([created("e1"), progress("e2", 5), progress("e3", 7)])
    KinesisHandler([UserLimitEventProcessor(shell.store())])({"Records": [records[0], records[2]]})
    give_up(shell.quarantine, records[1:2])
    for _ in range(2):
        done = shell("redrive", "--through", "handler", "--delete")
        assert done.returncode == 1
        first, _, told = lines(done.stdout)[:3]
        assert first == "1 record: 1 too late"
        assert "too late later events of its key have been applied; whether this one was" in told
        assert open_in(shell.quarantine) == [1]
    accepted = shell("redrive", "--through", "handler", "--accept-too-late")
    assert (accepted.returncode, lines(accepted.stdout)[0]) == (0, "1 record: 1 too late")
    assert open_in(shell.quarantine) == []
    assert state_of(shell.store())[("anna", "bet")][1] == 2, "it was not applied"


def test_what_is_rejected_again_out_of_a_batch_is_reported_and_waits_on(shell: Shell) -> None:
    give_up(shell.quarantine, on_shard([b"{", created("e2", "ben")]))
    done = shell("redrive", "--through", "handler")
    assert (done.returncode, lines(done.stdout)[0]) == (1, "2 records: 1 rejected again, 1 applied")
    assert open_in(shell.quarantine) == [0]


@pytest.mark.parametrize("unknown", ["noon", None])
def test_what_has_no_time_of_arrival_is_named_where_since_is_given_and_not_left_out_in_silence(
    shell: Shell, unknown: object
) -> None:
    dated, undated = on_shard([created("e1"), created("e2", "ben")])
    dated["kinesis"]["approximateArrivalTimestamp"] = (time.time() - 60) * 1_000  # some emulators' way
    undated["kinesis"]["approximateArrivalTimestamp"] = unknown  # type: ignore[typeddict-item]
    for each in (dated, undated):
        KinesisHandler([StrictProcessor(repository())], quarantine=shell.quarantine)({"Records": [each]})
    place = f"shardId-000000000000 {undated['kinesis']['sequenceNumber']}"
    told = (
        f"left out: 1 record has no time of arrival, so that --since 1h cannot choose: {place}. "
        "Leave --since out, or choose by --reason"
    )
    tried = shell("redrive", "--through", "handler", "--since", "1h", "--dry-run")
    assert told in " ".join(lines(tried.stdout))
    done = shell("redrive", "--through", "handler", "--since", "1h")
    assert (done.returncode, " ".join(lines(done.stdout))) == (1, f"1 record: 1 applied {told}")
    assert open_in(shell.quarantine) == [1]
    assert shell("redrive", "--through", "handler").returncode == 0
    assert open_in(shell.quarantine) == []


def test_what_is_too_large_for_lambda_is_kept_by_run_and_goes_through_the_handler(shell: Shell) -> None:
    large = created("e1") | {"padding": "x" * 5_000_000}
    records = on_shard([large, created("e2", "ben")])
    (shell.folder / "large.json").write_text(json.dumps({"Records": records}))
    done = shell("run", "large.json")
    assert done.returncode == 1
    assert "2 records: 1 applied, 1 failed" in done.stdout
    assert "it was given up undelivered: RequestTooLargeException" in " ".join(lines(done.stdout))
    [(_, _, entry)] = waiting_in([read_contents(shell.quarantine)]).values()
    assert entry.error == "RequestTooLargeException"
    assert entry.reason == "larger than an invocation by Lambda can be: redrive it through the handler"
    assert shell("redrive", "--through", "handler").stdout == "1 record: 1 applied\n"
