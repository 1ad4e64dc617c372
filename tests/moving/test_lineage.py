"""Which of two aggregates of one key is the newer one: each case by itself."""

from typing import Any

import pytest

from kinesis_handler.aggregate import Parked
from kinesis_handler.moving.lineage import is_newer
from made_events import aggregate


def note(position: tuple[int, int], count: int) -> Parked:
    return Parked(count, 0, "", None, str(position[0]), position[1])


OLD_TO_NEW: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"number": 4, "position": (9, 0)}, {"number": 5, "position": (8, 0)}),
    ({"number": 4, "position": (8, 0)}, {"number": 4, "position": (9, 0)}),
    ({"number": None, "position": (8, 0)}, {"number": 4, "position": (9, 0)}),
    ({"number": 4, "position": (8, 0)}, {"number": None, "position": (9, 0)}),
    ({"position": (8, 1)}, {"position": (8, 2)}),
    ({"position": (8, 2)}, {"position": (9, 1)}),
    ({"parked": None}, {"parked": note((11, 0), 1)}),
    ({"parked": None}, {"parked": note((0, 0), 1)}),
    ({"parked": note((11, 0), 1)}, {"parked": note((11, 1), 2)}),
    ({"parked": note((11, 0), 2)}, {"parked": note((11, 0), 1)}),
    ({"parked": note((11, 0), 1)}, {"position": (12, 0)}),
]


@pytest.mark.parametrize(("older", "newer"), OLD_TO_NEW)
def test_the_number_decides_then_the_position_then_the_note(
    older: dict[str, Any], newer: dict[str, Any]
) -> None:
    assert is_newer(aggregate(**newer), aggregate(**older))
    assert not is_newer(aggregate(**older), aggregate(**newer))


@pytest.mark.parametrize("same", [each for pair in OLD_TO_NEW for each in pair])
def test_of_two_that_are_alike_neither_is_newer_whatever_their_version(same: dict[str, Any]) -> None:
    assert not is_newer(aggregate(**same), aggregate(**same))
