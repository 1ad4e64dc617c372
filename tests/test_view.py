"""How a limit is shown: the document of the API and of `--json`, and the row of the table."""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis.strategies import datetimes, decimals

from kinesis_handler import Aggregate
from user_limits.limit import LastReset, Limit
from user_limits.terminal import bar, limit_row
from user_limits.view import limit_document, percentage, remaining, rfc3339

AMOUNTS = decimals(-(10**15), 10**15, places=4)


def limit(value: str = "1000", progress: str = "750", **fields: Any) -> Limit:
    ids = {"user_id": "usr_456", "limit_id": "lmt_123", "active_from": 1_705_276_800_000}
    return Limit(**{**ids, "value": Decimal(value), "progress": Decimal(progress), **fields})


def stored(state: Limit, version: int = 1) -> Aggregate[Limit]:
    return Aggregate(
        key=(state.user_id, state.limit_id),
        state=state,
        version=version,
        updated_at=1_705_329_000_000,
        sequence_number=1,
        record_sequence_number="1",
        record_sub_sequence_number=0,
        recent_event_ids=("e",),
    )


def as_json(state: Limit) -> dict[str, Any]:
    encoder = msgspec.json.Encoder(decimal_format="number")
    document: dict[str, Any] = json.loads(encoder.encode(limit_document(stored(state))), parse_float=str)
    return document


def test_the_document_is_that_of_the_api() -> None:
    state = limit(type="DEPOSIT", period="DAY", currency_code="EUR", next_reset_time=1_705_363_199_000)
    assert as_json(state) == {
        "limitId": "lmt_123",
        "userId": "usr_456",
        "type": "DEPOSIT",
        "amount": 1000,
        "progress": 750,
        "percentage": 75,
        "remainingAmount": 250,
        "status": "ACTIVE",
        "periodType": "DAILY",
        "expiresAt": "2024-01-15T23:59:59Z",
        "name": None,
        "brandId": None,
        "currencyCode": "EUR",
        "previousAmount": None,
        "activeFrom": "2024-01-15T00:00:00Z",
        "activeUntil": None,
        "lastReset": None,
        "rebuilt": False,
        "driftedAt": None,
        "version": 1,
        "lastUpdated": "2024-01-15T14:30:00Z",
    }


def test_each_field_of_the_document_is_its_own() -> None:
    document = as_json(
        limit(
            value="400",
            progress="100",
            previous_value=Decimal(200),
            name="Evenings",
            status="CANCELED",
            rebuilt=True,
            active_from=1_000,
            active_until=2_000,
            next_reset_time=3_000,
            drifted_at=4_000,
            last_reset=LastReset(5_000, Decimal(7), Decimal(8)),
        )
    )
    assert document == {
        "limitId": "lmt_123",
        "userId": "usr_456",
        "type": None,
        "amount": 400,
        "progress": 100,
        "percentage": 25,
        "remainingAmount": 300,
        "status": "CANCELED",
        "periodType": None,
        "expiresAt": "1970-01-01T00:00:03Z",
        "name": "Evenings",
        "brandId": None,
        "currencyCode": None,
        "previousAmount": 200,
        "activeFrom": "1970-01-01T00:00:01Z",
        "activeUntil": "1970-01-01T00:00:02Z",
        "lastReset": {"at": "1970-01-01T00:00:05Z", "amount": 7, "percentage": 8},
        "rebuilt": True,
        "driftedAt": "1970-01-01T00:00:04Z",
        "version": 1,
        "lastUpdated": "2024-01-15T14:30:00Z",
    }


def test_numbers_are_exact() -> None:
    document = as_json(limit(value="9800.10", progress="0.10"))
    assert (document["amount"], document["progress"], document["remainingAmount"]) == (
        "9800.10",
        "0.10",
        "9800.00",
    )


def test_the_last_reset_is_shown_with_what_it_stated() -> None:
    document = as_json(limit(last_reset=LastReset(1_705_276_800_592, Decimal("200.00"), None)))
    assert document["lastReset"] == {"at": "2024-01-15T00:00:00.592Z", "amount": "200.00", "percentage": None}


@pytest.mark.parametrize(
    ("value", "progress", "expected"),
    [
        ("1000", "750", "75"),
        ("250000", "200.00", "0.08"),
        ("3", "1", "33.33"),
        ("3", "2", "66.67"),
        ("800", "1", "0.13"),  # 0.125: half goes up
        ("200", "0.25", "0.13"),
        ("8", "1", "12.5"),
        ("100", "112.50", "112.5"),
        ("100", "100", "100"),
        ("1000", "0", "0"),
        ("0", "0", "0"),
        ("0", "0.01", "100"),
        ("100", "-5", "-5"),
        ("100", "-0.001", "0"),
        ("1000", "1000000", "100000"),
        ("9E+125", "1E-130", "0"),
        ("0.03", "9999999999999999999999999999", "33333333333333333333333333330000"),
    ],
)
def test_the_percentage_is_rounded_half_up_to_two_decimals(value: str, progress: str, expected: str) -> None:
    assert f"{percentage(limit(value, progress)):f}" == expected


@given(AMOUNTS, AMOUNTS.filter(bool))
def test_a_percentage_is_the_nearest_hundredth_without_zeros_at_its_end(
    progress: Decimal, value: Decimal
) -> None:
    shown = percentage(limit(str(value), str(progress)))
    assert abs(Fraction(shown) - 100 * Fraction(progress) / Fraction(value)) <= Fraction(1, 200)
    assert re.fullmatch(r"-?(0|[1-9]\d*)(\.\d?[1-9])?", str(shown))


def test_what_remains_is_never_below_zero() -> None:
    assert remaining(limit("100", "99.99")) == Decimal("0.01")
    assert remaining(limit("100", "100.01")) == 0


def test_times_are_rfc_3339_with_milliseconds_only_if_there_are_any() -> None:
    assert rfc3339(1_647_946_101_223) == "2022-03-22T10:48:21.223Z"
    assert rfc3339(0) == "1970-01-01T00:00:00Z"
    assert rfc3339(-62_135_596_800_000) == "0001-01-01T00:00:00Z"
    assert rfc3339(253_402_300_799_999) == "9999-12-31T23:59:59.999Z"


@given(datetimes())
def test_a_time_is_that_of_the_calendar(time: datetime) -> None:
    milliseconds = (time - datetime(1970, 1, 1)) // timedelta(milliseconds=1)  # noqa: DTZ001 - UTC, as all are
    assert datetime.fromisoformat(rfc3339(milliseconds)) == time.replace(
        microsecond=time.microsecond // 1_000 * 1_000, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("percent", "drawn"),
    [
        ("0", "░░░░░░░░░░"),
        ("50", "█████░░░░░"),
        ("1.25", "▏░░░░░░░░░"),
        ("100", "██████████"),
        ("250", "██████████"),
    ],
)
def test_a_bar_shows_eighths_of_a_character_and_ends_at_100_percent(percent: str, drawn: str) -> None:
    assert bar(Decimal(percent)) == drawn


def test_a_row_shows_the_limit_its_progress_and_what_is_to_be_noted() -> None:
    state = limit(
        type="DEPOSIT", period="CALENDAR_DAY", currency_code="EUR", status="IN_COOLDOWN", drifted_at=1
    )
    cells = [cell.text for cell in limit_row(stored(state))]
    assert cells == [
        "calendar daily deposit",
        "███████▌░░",
        "75 %",
        "750 of 1,000 EUR",
        "",
        "in cooldown, drift",
    ]


def test_a_session_is_shown_in_hours_and_minutes() -> None:
    assert limit_row(stored(limit("14400", "8100", type="SESSION")))[3].text == "2:15 h of 4:00 h"


def test_the_style_of_a_row_shows_near_and_exceeded() -> None:
    styles = [
        limit_row(stored(limit("100", progress)))[1].style for progress in ("79.99", "80", "100", "100.01")
    ]
    assert styles == ["green", "yellow", "yellow", "red"]


def test_a_limit_without_name_type_and_period_is_called_by_its_id() -> None:
    assert limit_row(stored(limit()))[0].text == "lmt_123"
    assert limit_row(stored(limit(name="Monthly budget")))[0].text == "Monthly budget"
