"""Records, envelopes, KPL records, gzip and zlib: all that the handler unpacks."""

import gzip
import zlib
from collections.abc import Callable, Sequence
from re import compile as pattern

from msgspec.json import encode

from fuzz.carriers import CARRIERS, NATIVE, Carrier
from fuzz.facts import Batch
from fuzz.samples import (
    EVENTS,
    PAYLOADS,
    aggregated,
    gzipped,
    key_in_table,
    sealed,
    seeds,
    user_record,
    words,
)
from fuzz.targets import Target
from kinesis_handler.ingest.kpl import MAGIC
from kinesis_handler.outcome import BatchResult

_FIGURES = pattern(r"\d+|'[^']*'|\"[^\"]*\"")

_EVENTS = [encode(event) for event in EVENTS.values()]
_MESSAGE = seeds()["message"]
_WORDS = words()


def _signature(result: BatchResult) -> list[str]:
    """Return what became of each record but the good ones: the worst outcomes of its user records."""
    found: dict[str, set[str]] = {}
    for each in result:
        reason = _FIGURES.sub("#", str(each.outcome.error))[:80] if each.outcome.error else ""
        remarks = ",".join(sorted(map(str, each.outcome.remarks))) if each.outcome.remarks else ""
        found.setdefault(each.record.sequence_number, set()).add(f"{each.outcome.status} {reason}{remarks}")
    return ["; ".join(sorted(each)[:3]) for each in list(found.values())[1:-1]]


def _checked(
    carrier: Carrier, pack: Callable[[bytes], bytes | str]
) -> Callable[[Sequence[bytes]], list[str]]:
    def check(inputs: Sequence[bytes]) -> list[str]:
        batch = Batch(*map(pack, inputs), carrier=carrier)
        result = batch.handle()
        batch.check(result)
        return _signature(result)

    return check


def _fresh(data: bytes, number: int) -> bytes:
    """Give an event an id, a number and an owner of its own: otherwise all but one were repeats of it."""
    if number % 8 == 0:
        return data
    own = b"%d" % number
    data = data.replace(b'"evt-1"', b'"e' + own + b'"').replace(
        b'"sequenceNumber":1,', b'"sequenceNumber":' + own + b","
    )
    return data.replace(b'"anna"', b'"anna' + own + b'"') if number % 4 else data


def _itself(data: bytes) -> bytes:
    return data


def _as_base64(data: bytes) -> str:
    return data.decode("latin-1")


def _as_user_records(data: bytes) -> bytes:
    half = len(data) // 2
    return aggregated(data, data[half:], gzipped(data[:half]))


def _gzip_or_zlib(data: bytes) -> bytes:
    """Compress an input; its last byte says how, and what is wrong with it."""
    how = data[-1] if data else 0
    packed = gzip.compress(data, 1, mtime=0) if how & 1 else zlib.compress(data, 1)
    match how >> 1 & 7:
        case 0:
            return packed[: len(packed) - (how >> 4)]
        case 1:
            return packed + packed
        case 2:
            at = how * len(packed) // 256
            return b"%b%c%b" % (packed[:at], how, packed[at + 1 :])
        case 3:
            return gzipped(packed)
        case 4:
            return packed + data[:10]
        case _:
            return packed


def _in(carrier: Carrier) -> list[bytes]:
    events = [carrier.write("evt-1", kind, payload) for kind, payload in PAYLOADS.items()]
    return [*events, b"\n".join(events[:2]), b"".join(events), b"[%b]" % b",".join(events[1:])]


_HARD = [b"[", b"]", b"{", b"}", b",", b"\n", b'"', b"\\", b'"data_base64":"e30="', b'"time":"2024-02-30T25:00:00Z"',
         b'"sequence":"00000000000000000000000000000001"', b'"traceparent":[[]]', b'"specversion":"0.3"']  # fmt: skip

TARGETS = {
    "records": Target(_checked(NATIVE, _itself), _EVENTS, _WORDS, share=30, fresh=_fresh),
    "base64": Target(
        _checked(NATIVE, _as_base64), [b"e30=", b"eyJldmVudElkIjoiYSJ9", b"\xc3\xa4", *_EVENTS[:1]], [b"=", b"-_", b" ", b"\n"],
        share=5,
    ),
    **{
        f"envelope: {name}": Target(
            _checked(carrier, _itself), _in(carrier), [*_WORDS, *_HARD], share=5, fresh=_fresh
        )
        for name, carrier in CARRIERS.items()
    },
    "KPL: message": Target(
        _checked(NATIVE, sealed), [_MESSAGE, key_in_table(b"k") + user_record(0, b"{}")],
        [*_WORDS, b"\x80", b"\xff\xff\xff\xff\x0f", b"\x1a\x00", b"\x08\x7f"], share=10,
    ),
    "KPL: user records": Target(_checked(NATIVE, _as_user_records), _EVENTS, _WORDS, share=5, fresh=_fresh),
    "KPL: damaged": Target(_checked(NATIVE, _itself), [aggregated(*_EVENTS[:2])], [MAGIC, *_WORDS], share=3),
    "gzip and zlib": Target(_checked(NATIVE, _gzip_or_zlib), _EVENTS, _WORDS, share=8, fresh=_fresh),
    "gzip and zlib: damaged": Target(
        _checked(NATIVE, _itself), [gzipped(_EVENTS[0]), zlib.compress(_EVENTS[0]), gzipped(gzipped(b"{}"))],
        [b"\x1f\x8b\x08", b"\x78\x9c", b"\0\0\xff\xff", gzipped(b""), zlib.compress(b"{}")], share=5,
    ),
}  # fmt: skip
