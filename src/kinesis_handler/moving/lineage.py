"""Which of two aggregates of one key is the newer one. Pure."""

from typing import Any

from kinesis_handler.aggregate import Aggregate


def is_newer(one: Aggregate[Any], other: Aggregate[Any]) -> bool:
    """Tell whether one aggregate of a key is newer than another by its lineage: by what was applied last.

    The producer's number decides if both have one, else the position does: never the version, which begins
    again at 1 after an expiry. Of equal lineage the notes decide: a later end, then fewer that wait; none is
    older, for to take a note back raises the lineage. Where they are equal too, neither is newer.
    """
    number, other_number = one.sequence_number, other.sequence_number
    if number is None or other_number is None:
        return _rank(one) > _rank(other)
    return (number, _rank(one)) > (other_number, _rank(other))


def _rank(aggregate: Aggregate[Any]) -> tuple[tuple[int, int], tuple[Any, ...]]:
    parked = aggregate.parked
    return aggregate.position, () if parked is None else (parked.position, -parked.count)
