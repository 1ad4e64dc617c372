"""Which of two aggregates of one key is the newer one. Pure."""

from typing import Any

from kinesis_handler.aggregate import Aggregate


def is_newer(one: Aggregate[Any], other: Aggregate[Any]) -> bool:
    """Tell whether one aggregate of a key is newer than another by its lineage: by what was applied last.

    The producer's number decides if both have one, else the position does: never the version, which begins
    again at 1 after an expiry. Of equal lineage, neither is newer.
    """
    number, other_number = one.sequence_number, other.sequence_number
    if number is not None and other_number is not None and number != other_number:
        return number > other_number
    return one.position > other.position
