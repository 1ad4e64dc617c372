"""A checkpoint whose sequence number the stream refuses blocks nothing, and what is lost is told."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from kinesis_handler.cli.commands import app
from kinesis_handler.errors import ExpiredCheckpointError, StreamError
from kinesis_handler.local.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.stores.memory import MemoryRepository
from stream.consumption import Consumption
from stream.fake_kinesis import fake_kinesis
from stream.real_stream import FIRST, SECOND, Stream
from stream.wire import THROTTLED, Wire, error

EXPIRED = error("InvalidArgumentException", message="StartingSequenceNumber 5 is no longer available")
AN_HOUR = 3_600_000


def iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1_000, UTC).isoformat(timespec="seconds")


def arrived(stream: Stream) -> int:
    """Return when the oldest record arrived."""
    [first, *_] = stream.reader().shard(FIRST, Checkpoint()).read().records
    return int(first["kinesis"]["approximateArrivalTimestamp"] * 1_000)


def store_with(stream: Stream, **places: Checkpoint) -> MemoryRepository[Checkpoint]:
    store: MemoryRepository[Checkpoint] = MemoryRepository()
    checkpoints = Checkpoints(store, stream.reader().identity)
    checkpoints.begin(lambda: places, Checkpoint(), 0)
    checkpoints.save(places.items(), 0)
    checkpoints.claim.release(0)
    return store


def test_reading_goes_on_with_the_oldest_record_and_says_from_when_to_when_records_are_lost(
    stream: Stream, wire: Wire
) -> None:
    numbers = stream.put(b"1", b"2")
    first = arrived(stream)
    store = store_with(stream, **{FIRST: Checkpoint(after="5", arrived_at=first - AN_HOUR)})
    wire.on("GetShardIterator", EXPIRED, about="AFTER_SEQUENCE_NUMBER")
    with capture_logs() as logged:
        read = Consumption(stream, store).run()
    assert read.data == [b"1", b"2"]
    assert read.checkpoints() == {FIRST: Checkpoint(after=numbers[1])}
    [lost] = [each for each in logged if "lost" in each["event"]]
    assert lost["log_level"] == "error"
    assert lost["shard_id"] == FIRST
    assert (lost["read_up_to"], lost["goes_on_from"]) == (iso(first - AN_HOUR), iso(first))
    assert read.consumer.progress[FIRST].lost == (
        f"{FIRST}: what arrived between {iso(first - AN_HOUR)} and {iso(first)} was not read, "
        "and the stream no longer has it"
    )
    assert Consumption(stream, store).run().consumer.progress[FIRST].lost == "", "it is told once"


def test_of_a_checkpoint_without_a_time_the_record_is_named(stream: Stream, wire: Wire) -> None:
    stream.put(b"1")
    store = store_with(stream, **{FIRST: Checkpoint(after="5")})
    wire.on("GetShardIterator", EXPIRED, about="AFTER_SEQUENCE_NUMBER")
    read = Consumption(stream, store).run()
    assert "between record 5 and " in read.consumer.progress[FIRST].lost


def test_of_an_empty_shard_all_up_to_now_is_lost(stream: Stream, wire: Wire) -> None:
    store = store_with(stream, **{FIRST: Checkpoint(after="5", arrived_at=1_000)})
    wire.on("GetShardIterator", EXPIRED, about="AFTER_SEQUENCE_NUMBER")
    read = Consumption(stream, store).run()
    assert read.states == {FIRST: "caught up"}
    assert "between 1970-01-01T00:00:01+00:00 and 20" in read.consumer.progress[FIRST].lost


def test_of_other_shards_nothing_is_read_again(make_stream: Callable[[int], Stream], wire: Wire) -> None:
    stream = make_stream(2)
    stream.put_on(FIRST, b"1")
    [number] = stream.put_on(SECOND, b"2")
    store = store_with(stream, **{FIRST: Checkpoint(after="5"), SECOND: Checkpoint(after=number)})
    wire.on("GetShardIterator", EXPIRED, about=FIRST)
    assert Consumption(stream, store).run().data == [b"1"]


def test_a_stream_that_is_throttled_just_then_is_waited_for(stream: Stream, wire: Wire) -> None:
    stream.put(b"1")
    store = store_with(stream, **{FIRST: Checkpoint(after="5")})
    wire.on("GetShardIterator", THROTTLED, EXPIRED, THROTTLED, about=FIRST)
    assert Consumption(stream, store).run().data == [b"1"]


def test_only_a_sequence_number_can_expire(stream: Stream, wire: Wire) -> None:
    reader = stream.reader()
    wire.on("GetShardIterator", EXPIRED, EXPIRED)
    with pytest.raises(ExpiredCheckpointError, match="no longer available"):
        reader.shard(FIRST, Checkpoint(after="5")).read()
    with pytest.raises(StreamError) as told:
        reader.shard(FIRST, Checkpoint()).read()
    assert not isinstance(told.value, ExpiredCheckpointError)


def test_the_command_prints_what_is_lost_and_its_exit_status_is_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "error")
    where = ["--stream", "facts", "--store", f"sqlite:///{tmp_path / 'limits.db'}"]
    number = "4" * 56
    reset = ["checkpoints", "reset", *where, "--shard", FIRST, "--to", number, "--yes"]
    with fake_kinesis(expired=True) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", endpoint)
        assert CliRunner().invoke(app, reset).exit_code == 0
        result = CliRunner().invoke(app, ["consume", *where, "--until-caught-up"])
    assert result.exit_code == 1
    assert "0 records" in result.stdout
    assert f"lost: {FIRST}: what arrived between record {number} and 20" in result.stdout.replace("\n", "")
    assert "records are lost: the stream no longer has what comes behind the checkpoint" in result.stderr
