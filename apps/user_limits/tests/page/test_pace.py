"""How fast a limit is used, and what is said of it: honest about little data."""

from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Page

from page.modules import LIMIT, call

NOW = round(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp() * 1_000)
"""A Friday, at noon."""

WEEK = LIMIT | {"expiresAt": "2026-11-23T00:00:00Z"}
"""It began on Monday, 4.5 days ago: 64 % of it has gone."""


def used(percent: float, **change: object) -> dict[str, Any]:
    return WEEK | {"progress": percent, "percentage": percent} | change


def test_the_share_of_a_period_that_has_gone_is_computed_from_its_end(modules: Page) -> None:
    for period, gone in [("CALENDAR_WEEKLY", 4.5 / 7), ("WEEKLY", 4.5 / 7), ("CALENDAR_MONTHLY", 28.5 / 31)]:
        found = call(modules, "/pace.js", "pace", used(10, periodType=period), NOW)
        assert found["gone"] == pytest.approx(gone)
    day = used(10, periodType="DAILY", expiresAt="2026-11-20T18:00:00Z")
    assert call(modules, "/pace.js", "pace", day, NOW)["gone"] == 0.75


def test_a_month_before_its_31st_began_at_the_end_of_a_shorter_month(modules: Page) -> None:
    month = used(10, periodType="MONTHLY", expiresAt="2026-12-31T00:00:00Z")
    now = round(datetime(2026, 12, 15, 12, tzinfo=UTC).timestamp() * 1_000)
    assert call(modules, "/pace.js", "pace", month, now)["gone"] == pytest.approx(15.5 / 31)


@pytest.mark.parametrize(
    "began", [{"lastReset": {"at": "2026-11-18T00:00:00Z"}}, {"activeFrom": "2026-11-18T00:00:00Z"}]
)
def test_a_limit_may_begin_within_a_period(modules: Page, began: dict[str, Any]) -> None:
    assert call(modules, "/pace.js", "pace", used(10, **began), NOW)["gone"] == pytest.approx(2.5 / 5)


@pytest.mark.parametrize(
    "change",
    [
        {"expiresAt": None},
        {"expiresAt": "2026-11-20T11:00:00Z"},
        {"periodType": "INDEFINITE"},
        {"periodType": None},
        {"status": "CANCELED"},
        {"activeUntil": "2026-11-19T00:00:00Z"},
    ],
)
def test_what_has_no_period_that_runs_has_no_pace(modules: Page, change: dict[str, Any]) -> None:
    assert call(modules, "/pace.js", "pace", used(50, **change), NOW) is None
    assert call(modules, "/words.js", "forecast", used(50, **change), NOW, 9) == ""


SO_FAR = "64% of the period has gone, {} of the limit is used."


@pytest.mark.parametrize(
    ("limit", "changes", "said"),
    [
        (used(32.142857), 9, "32% of the limit is used. At this rate 50% will be used when it resets."),
        (used(90), 9, "90% of the limit is used. At this rate it is used up tomorrow."),
        (used(75), 9, "75% of the limit is used. At this rate it is used up on Sunday."),
        (used(90), None, "90% of the limit is used. At this rate it is used up tomorrow."),
        (used(90), 2, "At this rate it is used up tomorrow. That is a guess from 2 changes."),
        (used(90), 1, "At this rate it is used up tomorrow. That is a guess from one change."),
        (used(90), 0, "90% of the limit is used. It is too early to tell how it goes on."),
        (used(99.5), 9, "99.5% of the limit is used. At this rate it is used up today at 13:32."),
        (used(0), 9, "0% of the limit is used. Nothing has been used so far."),
        (used(100), 9, "100% of the limit is used."),
        (used(120), 9, "120% of the limit is used."),
        (used(50, type="BALANCE"), 9, "50% of the limit is used."),
    ],
)
def test_a_forecast_says_what_comes_of_it_at_this_rate(
    modules: Page, limit: dict[str, Any], changes: int | None, said: str
) -> None:
    forecast = call(modules, "/words.js", "forecast", limit, NOW, changes)
    assert forecast.startswith("64% of the period has gone, ")
    assert forecast.endswith(said)


def test_nothing_is_forecast_in_the_first_part_of_a_period(modules: Page) -> None:
    early = used(60, expiresAt="2026-11-26T12:00:00Z")
    said = call(modules, "/words.js", "forecast", early, NOW, 9)
    assert said == (
        "14% of the period has gone, 60% of the limit is used. It is too early to tell how it goes on."
    )
    assert call(modules, "/words.js", "warning", early, NOW) == ""


def test_a_card_warns_only_of_what_is_used_up_before_its_reset(modules: Page) -> None:
    assert call(modules, "/words.js", "warning", used(50), NOW) == ""
    assert call(modules, "/words.js", "warning", used(75), NOW) == "At this rate used up on Sunday"
    assert call(modules, "/words.js", "warning", used(100), NOW) == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "CREATED", "amount": "200.50"}, "Limit set to €200.50"),
        ({"kind": "REDEFINED", "amount": "200"}, "Limit changed to €200.00"),
        ({"kind": "PROGRESS", "amount": "12.5"}, "€12.50 used"),
        ({"kind": "PROGRESS", "amount": "-12.5"}, "€12.50 taken back"),
        ({"kind": "RESET", "amount": "80"}, "Reset: €80.00 had been used"),
        ({"kind": "RESET", "amount": None}, "Reset"),
        ({"kind": "PROGRESS", "amount": None}, "A change that does not fit what is known"),
    ],
)
def test_a_change_is_described_in_a_players_words(modules: Page, change: dict[str, Any], said: str) -> None:
    assert call(modules, "/words.js", "happening", change, LIMIT) == said


def test_what_a_player_may_wonder_about_is_explained(modules: Page) -> None:
    assert call(modules, "/words.js", "explanations", LIMIT) == []
    odd = WEEK | {
        "status": "IN_COOLDOWN",
        "rebuilt": True,
        "driftedAt": "2026-11-19T00:00:00Z",
        "waitingSince": "2026-11-19T00:00:00Z",
    }
    begun = [text.split(" ")[0] for text in call(modules, "/words.js", "explanations", odd)]
    assert begun == ["An", "In", "Rebuilt:", "Corrected:", "At"]
    assert call(modules, "/words.js", "remarks", odd, "reset") == [
        "Waiting for a missing update since 19 Nov 2026",
        "Rebuilt from what was seen of it",
        "Figures corrected on 19 Nov 2026",
    ]
