"""What a quarantine holds: entries, marks, and documents of an on-failure destination."""

from collections.abc import Callable, Sequence
from re import compile as pattern

import msgspec

from fuzz.carriers import NATIVE
from fuzz.facts import Batch, MemoryQuarantine
from fuzz.samples import EVENTS, aggregated, gzipped, words
from fuzz.targets import Target
from kinesis_handler.local.event_source import DiscardedBatch
from kinesis_handler.local.redrive.items import items_of, parked_groups
from kinesis_handler.outcome import ReaderKey
from kinesis_handler.quarantine import on_failure
from kinesis_handler.quarantine.contents import (
    DONE,
    Done,
    done_in,
    marks,
    read_contents,
    remove_finished,
    waiting_in,
)
from kinesis_handler.quarantine.entry import ENDING, Position, parts_of

_FIGURES = pattern(r"\d+")


def _checked(name_of: Callable[[int], str]) -> Callable[[Sequence[bytes]], list[str]]:
    def check(inputs: Sequence[bytes]) -> list[str]:
        """Read a quarantine of these objects and a good one, as a redrive does."""
        quarantine = MemoryQuarantine()
        names = [name_of(number) for number in range(len(inputs))]
        quarantine.objects = {**dict(zip(names, inputs, strict=True)), _GOOD_NAME: _GOOD}
        contents = read_contents(quarantine)
        found = (contents.objects, contents.unfetched, contents.marks, contents.unreadable)
        for name in quarantine.objects:
            assert sum(name in each for each in found) == 1, "an object was not read once"
        assert _GOOD_NAME in contents.objects, "a good object beside bad ones was not read"
        assert not any("\n" in each for each in contents.unreadable.values()), "a reason has several lines"
        waiting = [each.entry for each in waiting_in([contents]).values()]
        done_in([contents])
        items = items_of(waiting)
        assert sum(len(item.entries) for item in items) == len(waiting), "an entry belongs to no record"
        for group in parked_groups(items):
            assert group, "a parked key has no record"
        for document in contents.unfetched.values():
            assert not document.entries(), "a document that carries its records is to be fetched"
        for name, entries in contents.objects.items():
            if not name.endswith(ENDING):
                on_failure.decode(quarantine.objects[name]).object()
            for entry in entries:
                assert entry.position.sequence_number >= 0
        remove_finished([contents])
        return [_became(contents.unreadable.get(name), name, contents.unfetched) for name in names]

    return check


def _became(reason: str | None, name: str, unfetched: object) -> str:
    if reason is not None:
        return _FIGURES.sub("#", reason)[:90]
    return "unfetched" if name in unfetched else "read"  # type: ignore[operator]


def _object_of(number: int) -> str:
    return f"2024-01-15/limits/shard/{number:04}{ENDING}"


def _document_of(number: int) -> str:
    return f"aws/lambda/document/{number:04}"


def _mark_of(number: int) -> str:
    return f"{DONE}2024-01-15/limits/shard/0/{number:04}{ENDING}"


def _entries() -> list[bytes]:
    """Return objects as the handler makes them: of rejected records, and of user records of one."""
    batch = Batch(b"{", aggregated(b"[", b"{}", gzipped(b"1")), msgspec.json.encode(EVENTS["FOREIGN"])[:-1])
    batch.handle()
    [whole] = batch.quarantine.objects.values()
    lines = whole.splitlines()
    parked = lines[0].replace(
        b'"error"', b'"parked":[["anna","a"],["anna","b"]],"readers":["Limits"],"error"', 1
    )
    return [whole, *lines[:2], parked, parked.replace(b'"parked"', b'"released":true,"parked"', 1)]


def _documents() -> list[bytes]:
    batch = Batch(b"{", NATIVE.good("inside"))
    discarded = DiscardedBatch(condition="RetryAttemptsExhausted", invocations=3, records=batch.records)
    whole = on_failure.failed_batch(discarded, 1_705_329_000.0)
    return [msgspec.json.encode(each) for each in (whole, msgspec.structs.replace(whole, payload=None))]


def _marks() -> list[bytes]:
    whom = parts_of([ReaderKey("limits", ("anna", "bet"))], [ReaderKey("activity")])
    done = {
        Position("limits", "shard", 7, -1): Done("applied"),
        Position("limits", "shard", 8, 2): Done("superseded", whom),
    }
    return [marks("2024-01-15/limits/shard/0.jsonl", done, "handler", 1_705_329_000.0)[1]]


_SEEDS = _entries()
_GOOD, _GOOD_NAME = _SEEDS[0], f"2024-01-15/limits/shard/good{ENDING}"
_WORDS = [
    *words(), b"\n", b'""', b'"data"', b'"Records"', b'"kinesis"', b'"payload"', b'"approximateArrivalTimestamp"', b"1e300", b"-1",
    b'"2024-19-39T29:59:59.999Z"', b'"9999-12-31T23:59:59.999Z"', b'"0000-00-00T00:00:00.000Z"', b'"' + b"9" * 128 + b'"',
    b'"' + b"9" * 5_000 + b'"', b'"/../"', b'"\\u0000"', b'"sequenceNumber"', b'"documents":"array"', b'\\"', b'{\\"kinesis\\":3}',
]  # fmt: skip

TARGETS = {
    "quarantine: entries": Target(_checked(_object_of), _SEEDS, _WORDS, share=4, at_once=50),
    "quarantine: on-failure documents": Target(
        _checked(_document_of), _documents(), _WORDS, share=4, at_once=50
    ),
    "quarantine: marks": Target(_checked(_mark_of), _marks(), _WORDS, share=1, at_once=50),
}
