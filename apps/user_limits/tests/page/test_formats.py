"""How amounts and times are written: the page's own modules, in the browser."""

from decimal import Context, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page, expect

from page.conftest import OpenPage
from page.modules import LIMIT, call

EUROS = {"type": "DEPOSIT", "currencyCode": "EUR"}
amounts = st.builds(
    lambda units, exponent: Decimal(units).scaleb(exponent),
    st.integers(-(10**37), 10**37),
    st.integers(-130, 88),
)
"""All that an event may state."""
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOW = 1_794_000_000_000


@pytest.mark.parametrize(
    ("value", "limit", "locale", "written"),
    [
        (9800.1, EUROS, "en-GB", "€9,800.10"),
        (9800.1, EUROS, "de-DE", "9.800,10 €"),
        (9800.1, EUROS | {"currencyCode": "SEK"}, "sv-SE", "9 800,10 kr"),
        (1500, EUROS | {"currencyCode": "JPY"}, "ja-JP", "￥1,500"),
        (-5, EUROS, "en-GB", "-€5.00"),
        (1234.5, EUROS | {"currencyCode": None}, "en-GB", "1,234.5"),
        (1234.5, EUROS | {"currencyCode": "POINTS"}, "en-GB", "1,234.5 POINTS"),
        (8100, EUROS | {"type": "SESSION"}, "en-GB", "2 h 15 min"),
        ("9007199254740993.01", EUROS, "en-GB", "€9,007,199,254,740,993.01"),
        ("0.00012345", EUROS | {"currencyCode": "BTC"}, "en-GB", "BTC 0.00012345"),
        ("12345.4", EUROS | {"currencyCode": "JPY", "amount": "50000.75"}, "ja-JP", "￥12,345.40"),
        ("-0.00", EUROS, "en-GB", "€0.00"),
        ("1E+125", EUROS, "en-GB", "€1E125"),
        ("1E-130", EUROS, "en-GB", "€1E-130"),
        ("5", EUROS | {"currencyCode": "  "}, "en-GB", "5"),
        ("5", EUROS | {"currencyCode": "\u202ecoins\n"}, "en-GB", "5 coins"),
    ],
)
def test_an_amount_is_in_the_unit_of_its_limit(
    modules: Page, value: float | str, limit: dict[str, Any], locale: str, written: str
) -> None:
    assert call(modules, "/format.js", "amount", value, limit, locale) == written


@pytest.mark.parametrize(
    ("function", "number", "written"),
    [
        ("duration", 0, "0 min"),
        ("duration", 45, "45 s"),
        ("duration", 3_599, "59 min 59 s"),
        ("duration", "61.5", "1 min 1.5 s"),
        ("duration", "1E+30", "1E30 s"),
        ("duration", 14_400, "4 h"),
        ("duration", 360_060, "100 h 1 min"),
        ("duration", -600, "−10 min"),  # noqa: RUF001 - the sign, not the hyphen
        ("countdown", 0, "0 s"),
        ("countdown", 1, "1 s"),
        ("countdown", 59 * MINUTE + 500, "59 min 1 s"),
        ("countdown", HOUR, "1 h 0 min"),
        ("countdown", 3 * DAY + 2 * HOUR + 59 * MINUTE, "3 d 2 h"),
        ("ago", -1, "just now"),
        ("ago", 4_999, "just now"),
        ("ago", 5_000, "5 s ago"),
        ("ago", HOUR - 1, "59 min ago"),
        ("ago", 26 * HOUR, "1 d ago"),
        ("percentage", 112.5, "113%"),
        ("percentage", 0.4, "0.4%"),
        ("percentage", 0, "0%"),
        ("percentage", 99.99, "99.99%"),
        ("percentage", 100, "100%"),
        ("percentage", 100.01, "100.01%"),
        ("percentage", 33.33, "33%"),
        ("percentage", 9_999, "9,999%"),
        ("percentage", 9e257, ">9,999%"),
        ("percentage", -9e257, "<-9,999%"),
    ],
)
def test_a_length_of_time_is_in_the_units_that_matter(
    modules: Page, function: str, number: float | str, written: str
) -> None:
    assert call(modules, "/format.js", function, number, "en-GB") == written


@pytest.mark.parametrize(
    ("locale", "written"),
    [("en-GB", "Tue 1 Dec, 01:00"), ("en-US", "Tue, Dec 1, 01:00 AM"), ("sv-SE", "Tue, 1 Dec, 01:00")],
)
def test_a_date_is_in_english_as_the_readers_region_orders_it(
    modules: Page, locale: str, written: str
) -> None:
    assert call(modules, "/format.js", "moment", 1_796_083_200_000, locale) == written


@pytest.mark.parametrize(
    ("change", "title", "kind"),
    [
        ({}, "Weekly losses", "Loss limit · calendar week"),
        ({"name": "Mine"}, "Mine", "Loss limit · calendar week"),
        ({"type": "SESSION", "periodType": "INSTANCE"}, "Playing time", "Session limit · each time"),
        ({"name": " \u200b\u3164\u202e\n"}, "Weekly losses", "Loss limit · calendar week"),
        ({"name": "\u202egnp.exe\r\n  \x1bevil "}, "gnp.exe evil", "Loss limit · calendar week"),
        ({"name": "e" + "\u0301" * 9}, "e" + "\u0301" * 4, "Loss limit · calendar week"),
        (
            {"name": "日\u200c本 👨\u200d👩\u200d👧"},
            "日\u200c本 👨\u200d👩\u200d👧",
            "Loss limit · calendar week",
        ),
        ({"type": None, "periodType": None, "limitId": " \u200b"}, "%20%E2%80%8B", "Limit"),
        ({"type": None, "periodType": None}, "limit-1", "Limit"),
        ({"type": "CASHBACK", "periodType": "YEARLY"}, "limit-1", "Limit"),
    ],
)
def test_a_limit_is_called_by_its_name_or_by_what_it_limits(
    modules: Page, change: dict[str, Any], title: str, kind: str
) -> None:
    assert call(modules, "/limit.js", "title", LIMIT | change) == title
    parts = call(modules, "/limit.js", "kind", LIMIT | change, 0)
    assert " · ".join(filter(None, [parts["type"], parts["more"]])) == kind


@pytest.mark.parametrize(
    ("change", "level"),
    [
        ({"percentage": 79.99}, "calm"),
        ({"percentage": 80}, "near"),
        ({"progress": "99.995", "percentage": 100}, "near"),
        ({"progress": 100, "percentage": 100}, "full"),
        ({"amount": "9007199254740993", "progress": "9007199254740993.01", "percentage": 100}, "exceeded"),
        ({"progress": 100.001, "percentage": 100}, "exceeded"),
        ({"amount": 0, "progress": 1, "percentage": 100}, "exceeded"),
        ({"amount": 0}, "calm"),
        ({"percentage": 90, "status": "IN_COOLDOWN"}, "near"),
        ({"percentage": 90, "status": "CANCELED"}, "idle"),
        ({"percentage": 90, "status": "FUTURE"}, "idle"),
        ({"percentage": 90, "activeUntil": "2020-01-01T00:00:00Z"}, "idle"),
    ],
)
def test_only_a_limit_in_force_can_need_attention(modules: Page, change: dict[str, Any], level: str) -> None:
    assert call(modules, "/limit.js", "level", LIMIT | change, NOW) == level


@pytest.mark.parametrize(
    ("progress", "percentage", "shown"),
    [("99.995", 100, 99.99), (100, 100, 100), ("100.001", 100, 100.01), (50, 50, 50), ("0.001", 0, 0)],
)
def test_100_percent_is_said_only_of_what_is_used_up(
    modules: Page, progress: float | str, percentage: float, shown: float
) -> None:
    limit = LIMIT | {"progress": progress, "percentage": percentage}
    assert call(modules, "/limit.js", "shownPercentage", limit) == shown


@pytest.mark.parametrize(
    ("change", "turn"),
    [
        ({"expiresAt": "2026-12-01T00:00:00Z"}, ("reset", "2026-12-01T00:00:00Z")),
        ({"expiresAt": None}, ("reset", None)),
        ({"status": "FUTURE", "activeFrom": "2026-12-01T00:00:00Z"}, ("start", "2026-12-01T00:00:00Z")),
        ({"status": "CANCELED", "expiresAt": "2026-12-01T00:00:00Z"}, ("none", None)),
        (
            {"expiresAt": "2026-12-02T00:00:00Z", "activeUntil": "2026-12-01T00:00:00Z"},
            ("end", "2026-12-01T00:00:00Z"),
        ),
        ({"expiresAt": None, "activeUntil": "2026-12-01T00:00:00Z"}, ("end", "2026-12-01T00:00:00Z")),
        (
            {"expiresAt": "2026-12-01T00:00:00Z", "activeUntil": "2026-12-02T00:00:00Z"},
            ("reset", "2026-12-01T00:00:00Z"),
        ),
        (
            {"expiresAt": "2026-12-01T00:00:00Z", "activeUntil": "2020-01-01T00:00:00Z"},
            ("ended", "2020-01-01T00:00:00Z"),
        ),
        ({"status": "FUTURE", "activeUntil": "2020-01-01T00:00:00Z"}, ("ended", "2020-01-01T00:00:00Z")),
    ],
)
def test_a_limit_that_ends_is_not_said_to_be_reset(
    modules: Page, change: dict[str, Any], turn: tuple[str, str | None]
) -> None:
    found = call(modules, "/limit.js", "next", LIMIT | change, NOW)
    assert (found["turn"], found["at"]) == turn


def test_a_summary_names_a_few_of_many(modules: Page) -> None:
    near = [LIMIT | {"percentage": 85, "limitId": str(number)} for number in range(9)]
    parts = call(modules, "/limit.js", "summary", near, NOW)
    said = "".join(part if isinstance(part, str) else part["limitId"] for part in parts)
    assert said == "Almost used up: 9 limits. "


@settings(deadline=None)
@given(amounts, amounts)
def test_what_is_used_and_what_is_left_add_up(modules: Page, one: Decimal, other: Decimal) -> None:
    exact = Context(prec=400)
    left = call(modules, "/decimal.js", "minus", str(one), str(other))
    assert Decimal(left) == exact.subtract(one, other)
    sign = call(modules, "/decimal.js", "compare", str(one), str(other))
    assert sign == (one > other) - (one < other)


@pytest.mark.parametrize("language", ["en-US@posix", "", "C"])
def test_a_locale_that_is_none_is_no_reason_to_show_nothing(open_page: OpenPage, language: str) -> None:
    page = open_page("/")
    page.add_init_script(f"Object.defineProperty(navigator, 'language', {{ value: {language!r} }})")
    page.goto("/users/anna")
    expect(page.get_by_role("article", name="Monthly budget")).to_contain_text("€179.90 of €1,500.00")


@pytest.mark.parametrize(
    ("levels", "summary"),
    [
        (["calm"], "The limit has room left."),
        (["calm", "calm"], "Both limits have room left."),
        (["calm", "calm", "idle"], "Both limits have room left. 1 more is not in force."),
        (["idle"], "The limit is not in force."),
        (["idle", "idle"], "None of 2 limits is in force."),
        (["near"], "Almost used up: 0."),
        (
            ["near", "exceeded", "calm", "near"],
            "Limit exceeded: 1. Almost used up: 0, 3. The other limit has room left.",
        ),
    ],
)
def test_the_summary_names_what_needs_attention(modules: Page, levels: list[str], summary: str) -> None:
    changes: dict[str, dict[str, Any]] = {
        "calm": {},
        "near": {"percentage": 85},
        "exceeded": {"progress": 101},
        "idle": {"status": "FUTURE"},
    }
    limits = [LIMIT | changes[level] | {"limitId": str(place)} for place, level in enumerate(levels)]
    parts = call(modules, "/limit.js", "summary", limits, NOW)
    assert "".join(part if isinstance(part, str) else part["limitId"] for part in parts).strip() == summary


def test_the_order_of_the_cards_does_not_depend_on_how_far_they_are_used(modules: Page) -> None:
    limits = [
        LIMIT | {"limitId": "monthly", "periodType": "MONTHLY", "progress": 500, "percentage": 500},
        LIMIT | {"limitId": "unknown", "type": None, "periodType": None},
        LIMIT | {"limitId": "canceled", "type": "DEPOSIT", "status": "CANCELED"},
        LIMIT | {"limitId": "weekly"},
        LIMIT | {"limitId": "deposits", "type": "DEPOSIT", "periodType": "INDEFINITE"},
    ]
    for those in [limits, limits[::-1]]:
        ordered = call(modules, "/limit.js", "ordered", those)
        assert [each["limitId"] for each in ordered] == [
            "canceled",
            "deposits",
            "weekly",
            "monthly",
            "unknown",
        ]
