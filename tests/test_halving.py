"""Which parts of the events are tried: few attempts find those that do not fit."""

import pytest

from kinesis_handler.halving import Halving


def attempts(count: int, unfit: set[int]) -> tuple[list[tuple[int, int]], list[int]]:
    """Return the parts that are tried of so many events, and which of them were found not to fit alone."""
    halving, done, tried, found = Halving(count), 0, list[tuple[int, int]](), list[int]()
    while done < count:
        assert len(tried) <= 4 * count
        if halving.next_is_unfit(done):
            found.append(done)
            done += 1
            halving.begin_again()
            continue
        end = halving.end(done)
        assert done < end <= count
        tried.append((done, end))
        if unfit.isdisjoint(range(done, end)):
            halving.fits()
            done = end
        else:
            halving.does_not_fit(end)
    return tried, found


@pytest.mark.parametrize("unfit", [{0}, {6}, {7}, {0, 7}, {3, 4}, {1, 2, 5}, set(range(8))])
def test_each_event_that_does_not_fit_is_found_and_no_other(unfit: set[int]) -> None:
    _, found = attempts(8, unfit)
    assert found == sorted(unfit)


def test_what_still_fits_is_found_by_halving() -> None:
    assert attempts(16, {15}) == ([(0, 8), (8, 12), (12, 14), (14, 15)], [15])


def test_behind_what_does_not_fit_the_next_part_is_one_event_and_then_twice_as_many_each_time() -> None:
    tried, found = attempts(16, {0})
    assert tried == [(0, 8), (0, 4), (0, 2), (0, 1), (1, 2), (2, 4), (4, 8), (8, 16)]
    assert found == [0]


def test_where_it_is_not_known_that_they_do_not_fit_all_are_tried_together_first() -> None:
    halving = Halving(8, is_unfit=False)
    assert not halving.next_is_unfit(0)
    assert not Halving(1, is_unfit=False).next_is_unfit(0)
    assert halving.end(0) == 8
    halving.does_not_fit(8)
    assert halving.end(0) == 4


def test_another_state_makes_it_begin_with_one_event() -> None:
    halving = Halving(8)
    halving.fits()
    halving.does_not_fit(4)
    halving.begin_again()
    assert not halving.next_is_unfit(3)
    assert halving.end(2) == 3
