"""What a call of the handler hands to its processors, and what it leaves in log, metrics and quarantine."""

import gc
import io
import json
from collections.abc import Callable, Mapping, Sequence
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import Struct

from kinesis_handler import (
    BusinessError,
    ConfigurationError,
    Event,
    Key,
    KinesisHandler,
    Projection,
    RejectedError,
    event_processor,
)
from kinesis_handler.batch import Batch, Source
from kinesis_handler.deadline import ENDLESS, current_deadline
from kinesis_handler.envelopes import EventBridge, Native
from kinesis_handler.errors import InvalidInvocationError
from kinesis_handler.outcome import APPLIED, BatchResult, ReaderKey, Status
from kinesis_handler.quarantine.entry import decode_entries, position_of
from kinesis_handler.recipients import EVERYONE, Recipients
from kinesis_handler.stores import Change, Saved
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import FakeClock, invocation
from made_events import checked
from testkit.quarantine import MemoryQuarantine


class Said(Struct):
    word: str


class Words(Projection[str, Said]):
    event_types = {"SAID": Said}

    def key(self, event: Event[Said]) -> Key:
        return "words", event.payload.word

    def apply(self, state: str | None, event: Event[Said]) -> str:  # noqa: ARG002 - the last one counts
        checked(event.payload.word)
        return event.payload.word


class Recorder:
    """A processor that notes with which batch it was called."""

    def __init__(self, event_type: str = "SAID") -> None:
        self.event_types: Mapping[str, Any] = {event_type: Said}
        self.calls: list[tuple[list[str], Batch]] = []
        self.seconds_left: list[float] = []

    def process(self, events: Sequence[Event[Any]], batch: Batch) -> None:
        self.seconds_left.append(current_deadline().seconds_left())
        self.calls.append(([each.payload.word for each in events], batch))
        batch.settle(dict.fromkeys(events, APPLIED))


class Collected:
    """Metrics that keep what they are handed."""

    def __init__(self) -> None:
        self.results: list[BatchResult] = []

    def batch(self, result: BatchResult, counted: Any) -> None:
        assert counted is not None
        self.results.append(result)


def documents(*words: str, kind: str = "SAID") -> list[dict[str, Any]]:
    return [
        {"eventId": f"{n}", "type": kind, "createdAt": n, "payload": {"word": word}}
        for n, word in enumerate(words)
    ]


def said(*words: str, kind: str = "SAID") -> dict[str, Any]:
    return invocation(documents(*words, kind=kind))


def statuses(result: BatchResult) -> list[str]:
    return [each.outcome.status.value for each in result]


def context(milliseconds: int) -> Any:
    """Make a context whose time stands still."""
    return SimpleNamespace(aws_request_id="r1", get_remaining_time_in_millis=lambda: milliseconds)


@pytest.mark.parametrize(("left", "expected"), [(1_000, ["applied"] * 2), (999, ["applied", "failed"])])
def test_a_second_before_the_deadline_no_further_slice_is_begun_unless_it_is_said_otherwise(
    left: int, expected: list[str]
) -> None:
    handler = KinesisHandler([Words(MemoryRepository(), slice_size=1)])
    assert statuses(handler.handle(said("a", "b"), context(left))) == expected


def test_a_processor_learns_where_the_records_come_from_and_what_they_are_for() -> None:
    recorder, quarantine, clock = Recorder(), MemoryQuarantine(), FakeClock()
    handler = KinesisHandler([recorder], quarantine=quarantine, now=clock, reserve_ms=3_000)
    recipients = Recipients(released=ReaderKey("Recorder"))
    handler.handle(said("a"))
    last = SimpleNamespace(**vars(context(9_000)), is_last_delivery=True)
    handler.handle(said("a"), last, source=Source.PARKED, recipients=recipients, rebuild=True)
    (words, first), (_, second) = recorder.calls
    assert words == ["a"]
    assert (first.source, first.recipients, first.is_rebuild, first.is_last_delivery) == (
        *(Source.STREAM, EVERYONE),
        *(False, False),
    )
    assert (second.source, second.recipients, second.is_rebuild, second.is_last_delivery) == (
        *(Source.PARKED, recipients),
        *(True, True),
    )
    assert first.now() == second.now() == clock()
    assert first.may_park
    assert not second.may_park
    assert (first.reader, first._reserve, first.has_time) == ("Recorder", 3.0, True)


def test_each_processor_has_the_events_of_its_types_and_none_is_called_without_any() -> None:
    said_too, other, none = Recorder(), Recorder("OTHER"), Recorder("NONE")
    handler = KinesisHandler([Recorder(), none, said_too, other])
    batch = said("a", "b")
    batch["Records"] += said("c", kind="OTHER")["Records"]
    for number, record in enumerate(batch["Records"]):
        record["kinesis"]["sequenceNumber"] = str(number)
    result = handler.handle(batch)
    assert [words for words, _ in said_too.calls] == [["a", "b"]]
    assert [words for words, _ in other.calls] == [["c"]]
    assert not none.calls
    assert result.readers == {
        "Recorder": {Status.APPLIED: 2},
        "Recorder-3": {Status.APPLIED: 2},
        "Recorder-4": {Status.APPLIED: 1},
    }
    assert KinesisHandler([Recorder()]).handle(said("a")).readers == {}


def test_while_a_processor_is_at_work_the_deadline_is_when_the_reserve_begins() -> None:
    recorder = Recorder()
    KinesisHandler([recorder], reserve_ms=3_000).handle(said("a"), context(9_000))
    KinesisHandler([recorder]).handle(said("a"))
    assert recorder.seconds_left == [6.0, inf]
    assert current_deadline() is ENDLESS


def test_a_record_holds_as_many_documents_as_the_envelope_says() -> None:
    lines = b"\n".join(
        json.dumps({"eventId": each, "type": "SAID", "createdAt": 1, "payload": {"word": each}}).encode()
        for each in "ab"
    )
    handler = KinesisHandler([Recorder()], envelope=Native(documents="lines"))
    assert statuses(handler.handle(invocation([lines]))) == ["applied", "applied"]
    assert statuses(KinesisHandler([Recorder()]).handle(invocation([lines]))) == ["rejected"]


def test_metrics_are_handed_the_result_and_without_them_there_are_none() -> None:
    metrics: Any = Collected()
    result = KinesisHandler([Recorder()], metrics=metrics).handle(said("a"))
    assert metrics.results == [result]


def test_the_first_call_is_logged_as_a_cold_start_with_its_request_and_its_time(
    log_lines: io.StringIO,
) -> None:
    clock = FakeClock()

    @event_processor({"SAID": Said})
    def slow(event: Event[Said]) -> None:  # noqa: ARG001
        clock.advance(0.25)

    handler = KinesisHandler([slow], quarantine=MemoryQuarantine(), clock=clock)
    handler.handle(said("a"), context(9_000))
    handler.handle(said("a"))
    first, second = (json.loads(line) for line in log_lines.getvalue().splitlines())
    assert (first["cold_start"], first["request_id"], first["duration_ms"]) == (True, "r1", 250)
    assert (second["cold_start"], second.get("request_id")) == (False, None)
    assert first["component"] == "handler"


class Contested(MemoryRepository[str]):
    """Another writer gets in before the first save."""

    def __init__(self) -> None:
        super().__init__()
        self._is_first = True

    def save(self, changes: Sequence[Change[str]]) -> Saved:
        if self._is_first:
            self._is_first = False
            return Saved(conflicts={each.key for each in changes})
        return super().save(changes)


def test_what_the_stores_have_counted_during_a_call_is_logged_with_it(log_lines: io.StringIO) -> None:
    handler = KinesisHandler([Words(Contested())], quarantine=MemoryQuarantine())
    assert statuses(handler.handle(said("a"))) == ["applied"]
    assert json.loads(log_lines.getvalue())["conflicts"] == 1


@pytest.mark.parametrize("call", [KinesisHandler.__call__, KinesisHandler.handle])
def test_without_a_quarantine_the_first_batch_of_a_stream_warns_of_it_and_no_other(
    log_lines: io.StringIO, call: Callable[..., object]
) -> None:
    def warnings(handler: KinesisHandler) -> list[dict[str, Any]]:
        for source in (Source.QUARANTINE, Source.PARKED):
            handler.handle(said("a"), source=source)
            assert not log_lines.getvalue().count("no quarantine")
        call(handler, said("a"))
        call(handler, said("a"))
        lines = [json.loads(line) for line in log_lines.getvalue().splitlines()]
        return [line for line in lines if line["level"] == "warning"]

    assert not warnings(KinesisHandler([Recorder()], quarantine=MemoryQuarantine()))
    [warning] = warnings(KinesisHandler([Recorder()]))
    assert (warning["message"], warning["detail"]) == (
        "no quarantine",
        "what can never succeed is logged, skipped, and lost; nothing is parked",
    )


@pytest.mark.parametrize("not_a_batch", [None, [], {}, {"Records": {}}, {"Records": None}])
def test_what_is_no_batch_is_refused_in_words(not_a_batch: object) -> None:
    with pytest.raises(InvalidInvocationError) as raised:
        KinesisHandler([Recorder()]).handle(not_a_batch)
    assert str(raised.value) == "there is no list of `Records`: is the trigger a Kinesis stream?"


def test_what_is_rejected_is_in_the_quarantine_unless_it_comes_from_there() -> None:
    for source, objects in ((Source.STREAM, 1), (Source.QUARANTINE, 0), (Source.PARKED, 0)):
        quarantine = MemoryQuarantine()
        handler = KinesisHandler([Words(MemoryRepository())], quarantine=quarantine)
        handler.handle(invocation([b"{"]), source=source)
        assert len(quarantine.objects) == objects
        assert not any("released" in name for name in quarantine.objects)


def test_who_rejected_an_event_is_in_its_entry_and_nobody_where_there_was_none_to_read() -> None:
    @event_processor({"SAID": Said})
    def refuses(event: Event[Said]) -> None:  # noqa: ARG001
        raise RejectedError("never")

    quarantine = MemoryQuarantine()
    batch = invocation([b"{", *documents("a")])
    KinesisHandler([refuses], quarantine=quarantine).handle(batch)
    [content] = quarantine.objects.values()
    assert [entry.rejected for entry in decode_entries(content)] == [(), (ReaderKey("refuses"),)]


def test_what_one_reader_rejects_is_quarantined_by_its_name_though_it_fails_for_another() -> None:
    class Later(Recorder):
        def process(self, events: Sequence[Event[Any]], batch: Batch) -> None:  # noqa: ARG002
            raise BusinessError("not now")

    quarantine = MemoryQuarantine()
    handler = KinesisHandler([Words(MemoryRepository()), Later()], quarantine=quarantine)
    assert statuses(handler.handle(said("#"))) == ["failed"]
    [content] = quarantine.objects.values()
    assert [entry.rejected for entry in decode_entries(content)] == [(ReaderKey("Words", ("words", "#")),)]


def test_a_redriven_record_goes_to_the_readers_that_it_is_for_and_its_parts_say_what_became_of_it() -> None:
    chosen, other = Recorder(), type("Other", (Recorder,), {})()
    handler = KinesisHandler([chosen, other])
    batch = said("a")
    batch["Records"] += said("b", kind="OTHER")["Records"]
    [place, _] = [position_of(each.record) for each in handler.handle(batch)]
    assert [each.parts for each in handler.handle(batch)] == [{}, {}]
    chosen.calls.clear()
    other.calls.clear()
    recipients = Recipients(of={place: (ReaderKey("Recorder"),)})
    result = handler.handle(batch, source=Source.QUARANTINE, recipients=recipients)
    assert statuses(result) == ["applied", "ignored"]
    assert [each.parts for each in result] == [{ReaderKey("Recorder"): APPLIED}, {}]
    assert (len(chosen.calls), len(other.calls)) == (1, 0)


class Down:
    """A quarantine that takes nothing."""

    def keep(self, name: str, content: bytes) -> None:  # noqa: ARG002 - it fails
        raise ConnectionError("s3cr3t")


def test_what_each_reader_made_of_a_batch_is_known_even_if_the_quarantine_fails() -> None:
    handler = KinesisHandler([Words(MemoryRepository()), Recorder()], quarantine=Down())
    result = handler.handle(said("#", "a"))
    assert statuses(result) == ["failed", "applied"]
    assert not result.rejected()
    assert result.readers == {
        "Words": {Status.REJECTED: 1, Status.APPLIED: 1},
        "Recorder": {Status.APPLIED: 2},
    }


def test_what_the_quarantine_does_not_take_is_not_acknowledged() -> None:
    handler = KinesisHandler([Words(MemoryRepository())], quarantine=Down())
    batch = invocation([b"{", b"}"])
    batch["Records"] = [*batch["Records"], *said("#", "a")["Records"]]
    for number, record in enumerate(batch["Records"]):
        record["kinesis"]["sequenceNumber"] = str(number)
    result = handler.handle(batch)
    assert statuses(result) == ["failed", "failed", "failed", "applied"]
    assert {str(each.outcome.error) for each in result.notable} == {"it raised ConnectionError"}
    assert result.response() == {"batchItemFailures": [{"itemIdentifier": str(n)} for n in range(3)]}


def test_the_handler_names_its_processors_and_their_repositories() -> None:
    words, recorder = Words(MemoryRepository()), Recorder()
    handler = KinesisHandler([words, recorder])
    assert list(handler.processors) == [words, recorder]
    assert handler.repositories == {"Words": words.repository}
    assert isinstance(KinesisHandler().envelope, Native)


def test_upcasters_need_an_envelope_that_carries_a_version() -> None:
    class Old(Words):
        upcast = {("SAID", 1): lambda payload: payload}

    with pytest.raises(ConfigurationError) as raised:
        KinesisHandler([Old(MemoryRepository())], envelope=EventBridge())
    assert str(raised.value) == (
        "Old has upcasters, and the envelope EventBridge carries no version: "
        "say which field has it, by its argument `version`"
    )


def test_what_an_older_producer_sent_passes_the_upcasters() -> None:
    class Newer(Words):
        upcast = {("SAID", 1): lambda payload: {"word": payload["text"]}}

    repository: MemoryRepository[str] = MemoryRepository()
    older = {"eventId": "1", "type": "SAID", "createdAt": 1, "version": 1, "payload": {"text": "hello"}}
    assert statuses(KinesisHandler([Newer(repository)]).handle(invocation([older]))) == ["applied"]
    assert [each.state for each in repository.scan()] == ["hello"]


def test_upcasters_that_make_no_chain_are_refused_by_the_name_of_their_processor() -> None:
    class Gap(Words):
        upcast = {("OTHER", 1): lambda payload: payload}

    with pytest.raises(ConfigurationError) as raised:
        KinesisHandler([Gap(MemoryRepository())])
    assert "Gap" in str(raised.value)


def test_without_upcasters_an_envelope_needs_no_version() -> None:
    handler = KinesisHandler([Words(MemoryRepository())], envelope=EventBridge())
    assert len(handler.processors) == 1


def test_who_decodes_a_type_in_another_way_is_refused_by_its_name() -> None:
    class Shouted(Recorder):
        event_types = {"SAID": dict[str, str]}

    with pytest.raises(ConfigurationError) as raised:
        KinesisHandler([Words(MemoryRepository()), Shouted.__new__(Shouted)])
    assert str(raised.value).startswith("Shouted ")


def test_a_processor_that_is_refused_is_registered_nowhere() -> None:
    handler = KinesisHandler()
    with pytest.raises(ConfigurationError, match="Recorder"):
        handler.register(Recorder.__new__(type("Recorder", (Recorder,), {"event_types": {"SAID": 7}})))
    assert not handler.processors
    assert statuses(handler.handle(said("a"))) == ["ignored"]


class Forgetful:
    """A quarantine that has what it is given elsewhere."""

    def keep(self, name: str, content: bytes) -> None:
        pass


def test_a_batch_leaves_nothing_in_memory() -> None:
    handler = KinesisHandler([Words(MemoryRepository())], quarantine=Forgetful())

    def held_after(batches: int) -> int:
        for _ in range(batches):
            counts = handler.handle(invocation([*documents("a", "b"), b"{"])).counts()
        assert (counts[Status.DUPLICATE], counts[Status.REJECTED]) == (2, 1)
        gc.collect()
        return len(gc.get_objects())

    few, many = held_after(5), held_after(100)
    assert many - few < 50, "not one object for every second batch"
