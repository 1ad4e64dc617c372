"""The verdict: compare what is stored with one clean pass, a line per difference, for a person. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from chaos.oracle import Expected, Oracle
from kinesis_handler import Aggregate, Key
from user_limits.limit import Limit

RecordPosition = tuple[str, str, int]
"""Shard, sequence number and sub-sequence number of a user record."""


def differing_limits(
    stored: Mapping[Key, Aggregate[Limit]], oracles: Sequence[Oracle], parked: Collection[Key] = ()
) -> Iterator[str]:
    """Yield a line for each limit that is stored wrongly.

    Args:
        stored: what is stored.
        oracles: one for each shard.
        parked: keys that were parked. Their lineage may be ahead: some of what waited was rejected.
    """
    expected = {key: each for oracle in oracles for key, each in oracle.limits.items()}
    for key in sorted(expected.keys() | stored.keys()):
        known = as_expected(stored[key]) if key in stored else None
        if known is not None and key in parked and key in expected:
            number, position = expected[key].number, expected[key].position
            known = known._replace(number=min(known.number, number), position=min(known.position, position))
        if known != expected.get(key):
            yield f"{'/'.join(key)}\n  expected {expected.get(key)}\n  stored   {known}"


def as_expected(aggregate: Aggregate[Limit]) -> Expected:
    """Return a stored limit in the oracle's form."""
    return Expected(
        limit=_fields(aggregate.state),
        version=aggregate.version,
        updated_at=aggregate.updated_at,
        number=-1 if aggregate.sequence_number is None else aggregate.sequence_number,
        position=aggregate.position,
        ids=aggregate.recent_event_ids,
    )


def _fields(struct: msgspec.Struct) -> dict[str, Any]:
    """Return the fields of a Struct with the names of the stream, without those that are null."""
    found = ((each.encode_name, getattr(struct, each.name)) for each in msgspec.structs.fields(struct))
    return {
        name: _fields(value) if isinstance(value, msgspec.Struct) else value
        for name, value in found
        if value is not None
    }


def differing_rejects(
    quarantined: Mapping[RecordPosition, str], expected: Mapping[RecordPosition, str]
) -> Iterator[str]:
    """Yield a line for each record that is wrongly in the quarantine, or wrongly missing from it."""
    for position in sorted(quarantined.keys() | expected.keys()):
        if quarantined.get(position) != expected.get(position):
            name = f"{position[0]}: record {position[1]}, part {position[2]}"
            if position not in quarantined:
                yield f"{name}: rejected, and not in the quarantine"
            elif position not in expected:
                yield f"{name}: in the quarantine, and nothing is wrong with it"
            else:
                yield f"{name}: its data in the quarantine is not as it came"


def differing_notes(
    noted: Collection[Key], waiting: Collection[Key], oracles: Sequence[Oracle]
) -> Iterator[str]:
    """Yield a line for each limit that is wrongly parked, or wrongly not.

    Args:
        noted: keys with the note that they are parked.
        waiting: keys of which records wait in the quarantine.
        oracles: one for each shard.
    """
    expected = {key for oracle in oracles for key in oracle.waiting}
    for key in sorted({*noted} ^ expected):
        yield f"{'/'.join(key)}: {'parked, and all of it can be applied' if key in noted else 'not parked'}"
    for key in sorted({*waiting} ^ expected):
        found = "its events wait, and can be applied" if key in waiting else "none of its events waits"
        yield f"{'/'.join(key)}: {found}"
