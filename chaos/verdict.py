"""The verdict: is what is kept what one clean pass leads to? Each difference is a line for a person. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from chaos.oracle import Expected, Oracle
from kinesis_handler import Aggregate, Key
from user_limits.limit import Limit

Place = tuple[str, str, int]
"""Shard, sequence number and sub-sequence number of a user record."""


def differing_limits(stored: Mapping[Key, Aggregate[Limit]], oracles: Sequence[Oracle]) -> Iterator[str]:
    """Yield a line for each limit that is not stored as it should be."""
    expected = {key: each for oracle in oracles for key, each in oracle.limits.items()}
    for key in sorted(expected.keys() | stored.keys()):
        known = as_expected(stored[key]) if key in stored else None
        if known != expected.get(key):
            yield f"{'/'.join(key)}\n  expected {expected.get(key)}\n  stored   {known}"


def as_expected(aggregate: Aggregate[Limit]) -> Expected:
    """Return what is stored in the words of the oracle."""
    return Expected(
        limit=_fields(aggregate.state),
        version=aggregate.version,
        updated_at=aggregate.updated_at,
        number=-1 if aggregate.sequence_number is None else aggregate.sequence_number,
        position=aggregate.position,
        ids=aggregate.recent_event_ids,
    )


def _fields(struct: msgspec.Struct) -> dict[str, Any]:
    """Return the fields of a Struct by the names of the stream, without those that are null."""
    found = ((each.encode_name, getattr(struct, each.name)) for each in msgspec.structs.fields(struct))
    return {
        name: _fields(value) if isinstance(value, msgspec.Struct) else value
        for name, value in found
        if value is not None
    }


def differing_rejects(kept: Mapping[Place, str], expected: Mapping[Place, str]) -> Iterator[str]:
    """Yield a line for each record that is not in the quarantine as it should be."""
    for place in sorted(kept.keys() | expected.keys()):
        if kept.get(place) != expected.get(place):
            name = f"{place[0]}: record {place[1]}, part {place[2]}"
            if place not in kept:
                yield f"{name}: rejected, and not in the quarantine"
            elif place not in expected:
                yield f"{name}: in the quarantine, and nothing is wrong with it"
            else:
                yield f"{name}: its data in the quarantine is not as it came"


def differing_failures(shard: str, given_up: Sequence[str], expected: Sequence[str]) -> Iterator[str]:
    """Yield a line for each record that was given up and should not have been, or the other way round."""
    for number in sorted({*given_up} - {*expected}):
        yield f"{shard}: record {number}: given up, and it could have succeeded"
    for number in sorted({*expected} - {*given_up}):
        yield f"{shard}: record {number}: it can never succeed, and was not given up"
    if sorted(given_up) == sorted(expected) and list(given_up) != list(expected):
        yield f"{shard}: the records that were given up were not so in the order of the stream"
