"""`put`: a file of events onto a real stream."""

import base64
import json
from itertools import count
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

import pytest

from command_line import call
from kinesis_handler.local.stream.checkpoint import Checkpoint
from kinesis_handler.local.stream.client import kinesis_client
from kinesis_handler.local.stream.reader import StreamReader

if TYPE_CHECKING:
    from kinesis_handler.lambda_types import LambdaRecord

STREAMS = (f"put-{number}" for number in count())


@pytest.fixture
def stream(kinesis_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a stream that is not there yet."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", kinesis_endpoint)
    return next(STREAMS)


def put(*arguments: str, events: str = "") -> CompletedProcess[str]:
    return call("put", *arguments, stdin=events.encode())


def test_the_events_of_a_file_are_on_the_stream_those_of_an_aggregate_in_their_order(stream: str) -> None:
    events = [{"eventId": str(number), "aggregateId": f"user-{number % 3}"} for number in range(20)]
    done = put("--stream", stream, "--create", "2", "-", events=json.dumps(events))
    assert (done.returncode, done.stdout) == (0, f"20 records put onto {stream}\n")
    reader = StreamReader(kinesis_client(), stream)
    found: list[LambdaRecord] = []
    for shard in reader.shards():
        found += reader.shard(shard.id, Checkpoint()).read().records
    assert len(found) == len(events)
    for user in ("user-0", "user-1", "user-2"):
        of_user = [each["kinesis"]["data"] for each in found if each["kinesis"]["partitionKey"] == user]
        assert len(of_user) == sum(event["aggregateId"] == user for event in events)
        numbers = [json.loads(base64.b64decode(data))["eventId"] for data in of_user]
        assert numbers == sorted(numbers, key=int)


def test_a_stream_that_is_not_there_is_reported(stream: str) -> None:
    done = put("--stream", stream, "-", events="{}")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"Error: the stream '{stream}': it does not exist: are its name and the region right?\n"
    )


@pytest.mark.parametrize("data", ["not base64, but text!", "abcde", "é"])
def test_data_that_is_not_base64_is_reported_with_its_record(stream: str, data: str) -> None:
    records = [
        {"kinesis": {"partitionKey": "1", "sequenceNumber": str(number), "data": each}}
        for number, each in enumerate(["e30=", data])
    ]
    done = put("--stream", stream, "--create", "1", "-", events=json.dumps({"Records": records}))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: -: record 2: its data is not base64")


def test_a_stream_that_is_there_is_not_made_again(stream: str) -> None:
    assert put("--stream", stream, "--create", "1", "-", events="{}").returncode == 0
    done = put("--stream", stream, "--create", "1", "-", events="{}")
    assert done.returncode == 2
    assert "it is there already" in done.stderr


def test_a_record_that_is_too_large_is_refused_and_the_others_are_put(stream: str) -> None:
    events = [{"aggregateId": "a", "fill": "x" * 1_100_000}, {"aggregateId": "b"}]
    done = put("--stream", stream, "--create", "1", "-", events=json.dumps(events))
    assert (done.returncode, done.stdout) == (1, f"1 record put onto {stream}, 1 refused\n")
    assert "exceeds" in done.stderr
