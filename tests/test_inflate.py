"""zlib beside gzip: recognised by its header, bounded, and never taken for something else."""

import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesis_handler.errors import UndecodableRecordError
from kinesis_handler.ingest.inflate import Allowance

EVENT = b'{"eventId":"evt-001"}' * 10
LIMIT = 1024 * 1024


def inflated(data: bytes, limit: int = LIMIT) -> bytes | str:
    content = Allowance(limit).inflate(data)
    return content if isinstance(content, bytes) else str(content)


@pytest.mark.parametrize("level", range(-1, 10))
def test_zlib_of_any_level_is_decompressed(level: int) -> None:
    assert inflated(zlib.compress(EVENT, level)) == EVENT


def test_zlib_is_left_alone_where_contents_are_no_json() -> None:
    data = zlib.compress(EVENT)
    assert Allowance(LIMIT, zlib=False).inflate(data) is data


def test_zlib_that_is_cut_short_is_rejected_wherever_the_cut() -> None:
    data = zlib.compress(EVENT)
    assert {inflated(data[:length]) for length in range(2, len(data))} == {"zlib: the data is cut short"}


def test_zlib_with_a_changed_byte_never_yields_a_changed_content() -> None:
    data = zlib.compress(EVENT)
    allowed = {EVENT, "zlib: the data is broken", "zlib: the data is cut short"}
    for position in range(2, len(data)):
        for change in (0x01, 0x10, 0x80, 0xFF):
            changed = bytearray(data)
            changed[position] ^= change
            assert inflated(bytes(changed)) in allowed


@pytest.mark.parametrize("behind", [b"?", zlib.compress(EVENT)])
def test_what_is_behind_the_end_of_zlib_is_rejected(behind: bytes) -> None:
    assert inflated(zlib.compress(EVENT) + behind) == "zlib: the data is broken"


def test_zlib_has_an_allowance_like_gzip() -> None:
    data = zlib.compress(bytes(1_000))
    assert inflated(data, 1_000) == bytes(1_000)
    assert inflated(data, 999) == "zlib: it unpacks to more than the limit of 999 bytes"

    allowance = Allowance(1_500)
    assert isinstance(allowance.inflate(data), bytes)
    assert isinstance(allowance.inflate(data), UndecodableRecordError)
    assert allowance.is_used_up


def test_a_zlib_bomb_is_rejected_before_it_fills_the_memory() -> None:
    bomb = zlib.compress(bytes(50 * LIMIT))
    tracemalloc.start()
    try:
        reason = inflated(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert reason == f"zlib: it unpacks to more than the limit of {LIMIT} bytes"
    assert peak < 4 * LIMIT


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300_000), max_size=2).map(b"".join), st.integers(0, 9))
def test_whatever_was_compressed_comes_back(content: bytes, level: int) -> None:
    assert inflated(zlib.compress(content, level)) == content


@settings(deadline=None)
@given(st.sampled_from([b"\x78\x9c", b"\x78\x01", b"\x1f\x8b"]), st.binary())
def test_whatever_looks_compressed_is_decompressed_or_refused(header: bytes, rest: bytes) -> None:
    content = Allowance(LIMIT).inflate(header + rest)
    assert isinstance(content, bytes | UndecodableRecordError)
