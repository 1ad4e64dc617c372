"""A limit as a row of the command line's table."""

from decimal import Decimal
from typing import Any

import pytest

from kinesis_handler import Aggregate
from kinesis_handler.aggregate import Parked
from user_limits.limit import Limit
from user_limits.terminal import HEADINGS, limit_row

DAY = 86_400_000
BUDGET: dict[str, Any] = {"user_id": "anna", "limit_id": "budget", "active_from": 0, "type": "LOSS"}


def row(parked: Parked | None = None, **fields: Any) -> dict[str, str]:
    """Return the cells of a limit under their headings; the bar is under none."""
    limit = Limit(**BUDGET | {"value": Decimal(100)} | fields)
    stored = Aggregate(
        key=("anna", "budget"),
        state=limit,
        version=1,
        updated_at=1,
        record_sequence_number="1",
        record_sub_sequence_number=0,
        recent_event_ids=("e",),
        parked=parked,
    )
    cells = limit_row(stored)
    return dict(zip(HEADINGS, (cell.text for cell in cells), strict=True))


@pytest.mark.parametrize(
    ("progress", "value", "percent", "note"),
    [
        ("19999", "20000", "99.99 %", ""),
        ("99.999", "100", "99.99 %", ""),
        ("100", "100", "100 %", ""),
        ("100.001", "100", "100.01 %", "exceeded"),
        ("1", "0", "100 %", "exceeded"),
        ("0", "0", "0 %", ""),
        ("9E125", "1E-130", "> 9,999 %", "exceeded"),
        ("-9E125", "1E-130", "< -9,999 %", ""),
    ],
)
def test_a_limit_is_at_100_percent_when_it_is_used_up_and_not_before(
    progress: str, value: str, percent: str, note: str
) -> None:
    cells = row(progress=Decimal(progress), value=Decimal(value))
    assert (cells[""], cells["note"]) == (percent, note)


@pytest.mark.parametrize(
    ("fields", "resets"),
    [
        ({"next_reset_time": 7 * DAY}, "1970-01-08"),
        ({"next_reset_time": 7 * DAY, "active_until": 9 * DAY}, "1970-01-08"),
        ({"next_reset_time": 7 * DAY, "active_until": 7 * DAY}, "ends 1970-01-08"),
        ({"active_until": 2 * DAY}, "ends 1970-01-03"),
        ({"next_reset_time": 7 * DAY, "status": "CANCELED"}, ""),
        ({}, ""),
    ],
)
def test_a_limit_that_ends_before_it_is_reset_is_not_said_to_be_reset(
    fields: dict[str, Any], resets: str
) -> None:
    assert row(**fields)["resets"] == resets


def test_a_parked_limit_has_a_note_of_the_day_since_which_later_events_wait() -> None:
    parked = Parked(1, 7 * DAY, "BusinessError: …", None, "1", 0)
    assert row(parked, drifted_at=1)["note"] == "drift, waiting since 1970-01-08"


@pytest.mark.parametrize("name", ["   ", "\u200b\u2060", "\u3164", "\x00\u202e", "", None])
def test_a_name_of_which_nothing_is_seen_is_none(name: str | None) -> None:
    assert row(name=name, period="WEEK")["limit"] == "weekly loss"


@pytest.mark.parametrize(
    ("progress", "value", "written"),
    [
        ("8100", "14400", "2:15 h of 4:00 h"),
        ("5385", "5400", "1:29:45 h of 1:30 h"),
        ("-600.5", "3661.25", "-0:10:00.5 h of 1:01:01.25 h"),
        ("1", "1E125", "0:00:01 h of 1E+125 s"),
    ],
)
def test_of_a_session_no_second_is_lost(progress: str, value: str, written: str) -> None:
    assert row(type="SESSION", progress=Decimal(progress), value=Decimal(value))["progress"] == written


def test_an_amount_of_more_digits_than_anybody_reads_is_short() -> None:
    amounts: dict[str, Any] = {"progress": Decimal("9007199254740993.01"), "value": Decimal("9.9E125")}
    assert row(**amounts, currency_code="EUR")["progress"] == "9,007,199,254,740,993.01 of 9.9E+125 EUR"
