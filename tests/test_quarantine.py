"""G5: a rejected record is acknowledged only after it has been kept."""

import base64
import gzip
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import botocore.session
import pytest

from aggregates import aggregate
from kinesis_handler import ConfigurationError, KinesisHandler
from kinesis_handler.errors import QuarantineError, UnreadableObjectError
from kinesis_handler.outcome import Status
from kinesis_handler.quarantine import Quarantine, ReadableQuarantine
from kinesis_handler.quarantine.contents import read_contents, waiting_in
from kinesis_handler.quarantine.directory import DirectoryQuarantine
from kinesis_handler.quarantine.s3 import S3Quarantine
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import invocation
from kinesis_handler.version import __version__
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor
from user_limits.wiring import consumer

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

CREATED = {
    "eventId": "evt-1",
    "type": "USER_LIMIT_CREATED",
    "createdAt": 1,
    "payload": {"userId": "anna", "userLimitId": "bet", "value": "10"},
}
INVALID = {
    **CREATED,
    "eventId": "evt-2",
    "context": {"correlationId": "req-2"},
    "payload": {"userId": "anna"},
}


class MemoryQuarantine:
    """Keeps objects in a dictionary; can be told to fail."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.error: Exception | None = None

    def keep(self, name: str, content: bytes) -> None:
        if self.error is not None:
            raise self.error
        self.objects[name] = content

    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for content in self.objects.values() for line in content.splitlines()]


def handler(quarantine: Quarantine | None) -> KinesisHandler:
    return KinesisHandler([UserLimitEventProcessor(MemoryRepository[Limit]())], quarantine=quarantine)


class TestTheHandler:
    def test_what_is_rejected_is_kept_with_its_place_and_the_reason_and_acknowledged(self) -> None:
        quarantine = MemoryQuarantine()
        batch = invocation([CREATED, INVALID], partition_key="anna")
        record = batch["Records"][1]
        assert handler(quarantine)(batch) == {"batchItemFailures": []}
        [entry] = quarantine.entries()
        assert entry == {
            "reason": "Object missing required field `userLimitId` - at `$.payload`",
            "error": "InvalidEventError",
            "eventId": "evt-2",
            "eventType": "USER_LIMIT_CREATED",
            "correlationId": "req-2",
            "stream": record["eventSourceARN"],
            "shardId": "shardId-000000000000",
            "sequenceNumber": record["kinesis"]["sequenceNumber"],
            "subSequenceNumber": 0,
            "partitionKey": "anna",
            "arrivedAt": entry["arrivedAt"],
            "handlerVersion": __version__,
            "data": base64.b64encode(json.dumps(INVALID, separators=(",", ":")).encode()).decode(),
        }
        assert entry["arrivedAt"].startswith("20")
        assert entry["arrivedAt"].endswith("Z")

    @pytest.mark.parametrize(
        "data", [b"\xff", b"", gzip.compress(b"{}", mtime=0)[:-4], gzip.compress(b"[]", mtime=0)]
    )
    def test_the_data_is_kept_as_it_came(self, data: bytes) -> None:
        quarantine = MemoryQuarantine()
        handler(quarantine)(invocation([data]))
        [entry] = quarantine.entries()
        assert base64.b64decode(entry["data"]) == data

    def test_a_part_of_an_aggregated_record_is_kept_with_the_whole_and_its_place_in_it(self) -> None:
        quarantine = MemoryQuarantine()
        parts = [json.dumps(each).encode() for each in (CREATED, INVALID)]
        whole = aggregate(("anna", None, part) for part in parts)
        assert handler(quarantine)(invocation([whole])) == {"batchItemFailures": []}
        [entry] = quarantine.entries()
        assert (entry["subSequenceNumber"], base64.b64decode(entry["data"])) == (1, whole)

    def test_of_several_parts_of_a_record_the_first_is_kept_with_its_data_and_all_are_read_with_it(
        self, tmp_path: Path
    ) -> None:
        quarantine = DirectoryQuarantine(tmp_path)
        whole = aggregate(("anna", None, json.dumps(each).encode()) for each in (INVALID, CREATED, INVALID))
        handler(quarantine)(invocation([whole, b"{"]))
        [name] = quarantine.names()
        lines = [json.loads(line) for line in quarantine.read(name).splitlines()]
        assert [bool(line["data"]) for line in lines] == [True, False, True]
        read = [entry for _, _, entry in waiting_in([read_contents(quarantine)]).values()]
        assert [base64.b64decode(entry.data) for entry in read] == [whole, whole, b"{"]
        assert [entry.sub_sequence_number for entry in read] == [0, 2, 0]

    def test_what_is_no_time_is_kept_as_none(self) -> None:
        quarantine = MemoryQuarantine()
        batch = invocation([INVALID, INVALID])
        for record, moment in zip(batch["Records"], ("soon", 1e30), strict=True):
            record["kinesis"]["approximateArrivalTimestamp"] = moment
        assert handler(quarantine)(batch) == {"batchItemFailures": []}
        assert [entry["arrivedAt"] for entry in quarantine.entries()] == [None, None]

    def test_a_batch_without_rejects_leaves_nothing(self) -> None:
        quarantine = MemoryQuarantine()
        handler(quarantine)(invocation([CREATED, {**CREATED, "type": "FOREIGN"}]))
        assert quarantine.objects == {}

    def test_a_batch_that_comes_again_overwrites_its_own_object(self) -> None:
        quarantine = MemoryQuarantine()
        batch = invocation([CREATED, INVALID, b"{"])
        for _ in range(2):
            handler(quarantine)(batch)
        [name] = quarantine.objects
        number = batch["Records"][1]["kinesis"]["sequenceNumber"]
        assert re.search(f"/shardId-000000000000/{number}-0.[0-9a-f]{{12}}.jsonl$", name)
        assert len(quarantine.entries()) == 2

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (QuarantineError("it is full"), "it is full"),
            (ZeroDivisionError("s3cr3t"), "it raised ZeroDivisionError"),
        ],
    )
    def test_what_could_not_be_kept_is_failed_and_comes_again(self, error: Exception, reason: str) -> None:
        quarantine = MemoryQuarantine()
        quarantine.error = error
        function = handler(quarantine)
        batch = invocation([CREATED, INVALID, b"{"])
        result = function.handle(batch)
        assert [handled.outcome.status for handled in result] == [Status.APPLIED, *[Status.FAILED] * 2]
        assert {str(handled.outcome.error) for handled in result.notable} == {reason}
        assert [each["itemIdentifier"] for each in result.response()["batchItemFailures"]] == [
            record["kinesis"]["sequenceNumber"] for record in batch["Records"][1:]
        ]
        quarantine.error = None
        assert function({"Records": batch["Records"][1:]}) == {"batchItemFailures": []}
        assert len(quarantine.entries()) == 2

    def test_without_a_quarantine_a_rejected_record_is_acknowledged(self) -> None:
        assert handler(None)(invocation([INVALID])) == {"batchItemFailures": []}

    def test_records_of_several_shards_and_streams_are_kept_apart(self) -> None:
        quarantine = MemoryQuarantine()
        batch = invocation([INVALID, INVALID, INVALID])
        for record, shard, stream in zip(
            batch["Records"], ("shardId-1", "shardId-2", "../.."), ("a", "a", "b\n"), strict=True
        ):
            record["eventID"] = f"{shard}:{record['kinesis']['sequenceNumber']}"
            record["eventSourceARN"] = f"arn:aws:kinesis:eu-north-1:1:stream/{stream}"
        handler(quarantine)(batch)
        assert sorted(name.split("/")[1:3] for name in quarantine.objects) == [
            ["a", "shardId-1"],
            ["a", "shardId-2"],
            ["b_", ".._.."],
        ]

    def test_a_record_that_does_not_say_where_it_is_from_is_kept_all_the_same(self) -> None:
        quarantine = MemoryQuarantine()
        batch = invocation([INVALID])
        [record] = batch["Records"]
        kinesis = {name: record["kinesis"][name] for name in ("sequenceNumber", "partitionKey", "data")}
        assert handler(quarantine)({"Records": [{"kinesis": kinesis}]}) == {"batchItemFailures": []}
        [name] = quarantine.objects
        assert name.startswith(f"unknown-date/unknown-stream/unknown-shard/{kinesis['sequenceNumber']}-0.")


def s3_client() -> "S3Client":
    session = botocore.session.get_session()
    return cast("S3Client", session.create_client("s3", region_name="us-east-1"))


@pytest.fixture(params=["directory", pytest.param("s3", marks=pytest.mark.other_programs)])
def kept(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ReadableQuarantine:
    if request.param == "directory":
        return DirectoryQuarantine(tmp_path / "new")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", request.getfixturevalue("moto_endpoint"))
    bucket = f"bucket-{uuid4()}"
    s3_client().create_bucket(Bucket=bucket)
    s3_client().put_object(Bucket=bucket, Key="some/other", Body=b"")
    return S3Quarantine(bucket, "some/prefix", "us-east-1")


class TestEveryQuarantine:
    def test_what_is_kept_is_listed_and_read_by_its_name(self, kept: ReadableQuarantine) -> None:
        assert list(kept.names()) == []
        for number in (2, 1):
            kept.keep(f"2026-11-22/stream/shard/{number}-0.jsonl", b"%d\n" % number)
        assert list(kept.names()) == [f"2026-11-22/stream/shard/{number}-0.jsonl" for number in (1, 2)]
        assert kept.read("2026-11-22/stream/shard/1-0.jsonl") == b"1\n"

    def test_an_object_of_the_same_name_is_replaced(self, kept: ReadableQuarantine) -> None:
        for content in (b"first, and longer", b"second"):
            kept.keep("name.jsonl", content)
        assert kept.read("name.jsonl") == b"second"
        assert list(kept.names()) == ["name.jsonl"]

    def test_a_removed_object_is_gone_alone_and_a_missing_one_does_nothing(
        self, kept: ReadableQuarantine
    ) -> None:
        for name in ("a/1-0.jsonl", "a/2-0.jsonl"):
            kept.keep(name, b"")
        for _ in range(2):
            kept.delete("a/1-0.jsonl")
        assert list(kept.names()) == ["a/2-0.jsonl"]

    def test_an_object_that_has_gone_is_distinguished_from_a_quarantine_that_cannot_be_read(
        self, kept: ReadableQuarantine
    ) -> None:
        with pytest.raises(UnreadableObjectError, match="it has gone since it was listed"):
            kept.read("missing.jsonl")

    def test_a_record_that_was_kept_twice_is_read_once_and_in_the_order_of_the_stream(
        self, kept: ReadableQuarantine
    ) -> None:
        batch = invocation([INVALID, b"{", b"["])
        for start in (2, 0, 1):  # as when it comes again in other cuts
            handler(kept)({"Records": batch["Records"][start:]})
        assert len(list(kept.names())) == 3
        numbers = [record["kinesis"]["sequenceNumber"] for record in batch["Records"]]
        assert [str(place.sequence_number) for place in sorted(waiting_in([read_contents(kept)]))] == numbers

    def test_something_else_among_the_objects_is_named(self, kept: ReadableQuarantine) -> None:
        kept.keep("2026-11-22/other.jsonl", b"{}\n")
        assert "`reason`" in read_contents(kept).unreadable["2026-11-22/other.jsonl"]


def test_without_a_prefix_an_s3_key_is_the_name(moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto_endpoint)
    s3_client().create_bucket(Bucket="bare")
    S3Quarantine("bare", region="us-east-1").keep("a/b.jsonl", b"")
    [found] = s3_client().list_objects_v2(Bucket="bare")["Contents"]
    assert found["Key"] == "a/b.jsonl"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(QuarantineError, match=r"the folder '.*/file': Not a directory"):
        DirectoryQuarantine(tmp_path / "file").keep("a/b.jsonl", b"")


def test_what_fails_half_way_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "taken.jsonl").mkdir()
    with pytest.raises(QuarantineError, match="Is a directory"):
        DirectoryQuarantine(tmp_path).keep("taken.jsonl", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.jsonl"]


def test_what_cannot_be_removed_is_named(
    moto_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(QuarantineError, match=r"the folder '.*': "):
        DirectoryQuarantine(tmp_path).delete("folder")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto_endpoint)
    with pytest.raises(QuarantineError, match=r"the bucket 'missing': .*NoSuchBucket"):
        S3Quarantine("missing", region="us-east-1").delete("a.jsonl")


def test_a_bucket_that_is_missing_is_named(moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto_endpoint)
    with pytest.raises(QuarantineError, match=r"the bucket 'missing': .*NoSuchBucket"):
        S3Quarantine("missing", region="us-east-1").keep("a.jsonl", b"")


def test_a_store_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    with pytest.raises(QuarantineError, match="the bucket 'rejected': it does not answer: is the region"):
        S3Quarantine("rejected", region="us-east-1").keep("a.jsonl", b"")


def test_settings_that_the_sdk_cannot_use_fail_the_records_and_not_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    quarantine = S3Quarantine("rejected")
    with pytest.raises(QuarantineError, match="nobody"):
        quarantine.keep("a.jsonl", b"")


def test_the_setting_chooses_a_folder(tmp_path: Path) -> None:
    function = consumer({"QUARANTINE_URL": f"file://{tmp_path}/rejected"})
    assert function(invocation([INVALID])) == {"batchItemFailures": []}
    [path] = tmp_path.rglob("*.jsonl")
    assert json.loads(path.read_bytes())["eventId"] == "evt-2"


def test_the_setting_chooses_a_bucket(moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto_endpoint)
    client = s3_client()
    client.create_bucket(Bucket="chosen")
    function = consumer({"QUARANTINE_URL": "s3://chosen/by/setting/", "AWS_REGION": "us-east-1"})
    assert function(invocation([INVALID])) == {"batchItemFailures": []}
    [found] = client.list_objects_v2(Bucket="chosen")["Contents"]
    assert found["Key"].startswith("by/setting/20")


@pytest.mark.parametrize("url", ["/var/rejected", "file://rejected", "s3://", "s3://Bucket", "http://bucket"])
def test_a_setting_that_names_no_quarantine_stops_the_start(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        consumer({"QUARANTINE_URL": url})
    allowed = "file:///FOLDER or s3://BUCKET/PREFIX, or none: rejected records are logged and skipped"
    assert str(caught.value) == f"QUARANTINE_URL is {url!r}; allowed: {allowed}"
