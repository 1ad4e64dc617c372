"""In which groups and in which order limits are shown, and what they come to."""

from decimal import Context, Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Page

from page.modules import LIMIT, call

NOW = 1_794_000_000_000


def limit(limit_id: str, **fields: object) -> dict[str, Any]:
    return LIMIT | {"limitId": limit_id} | fields


LIMITS = [
    limit("deposit", type="DEPOSIT"),
    limit("over", progress=120, percentage=120),
    limit("far over", type="BET", progress=300, percentage=300),
    limit("full", type="BET", progress=100, percentage=100),
    limit("near", progress=90, percentage=90),
    limit("bet", type="BET"),
    limit("canceled", status="CANCELED", progress=300, percentage=300),
    limit("untyped", type=None),
    limit("of a new type", type="SPIN"),
]


def ids(found: Any) -> tuple[list[tuple[str, list[str]]], list[str]]:
    groups = [(group["title"], [each["limitId"] for each in group["limits"]]) for group in found["groups"]]
    return groups, [each["limitId"] for each in found["idle"]]


def test_many_limits_are_grouped_by_type_and_what_is_reached_comes_first(modules: Page) -> None:
    assert ids(call(modules, "/groups.js", "grouped", LIMITS, NOW, 1)) == (
        [
            ("Reached", ["far over", "over", "full"]),
            ("Deposits", ["deposit"]),
            ("Losses", ["near"]),
            ("Bets", ["bet"]),
            ("Others", ["untyped", "of a new type"]),
        ],
        ["canceled"],
    )


def test_a_few_limits_are_one_group_and_what_is_reached_comes_first_too(modules: Page) -> None:
    assert ids(call(modules, "/groups.js", "grouped", LIMITS, NOW, 0)) == (
        [("In force", ["far over", "over", "full", "deposit", "near", "bet", "untyped", "of a new type"])],
        ["canceled"],
    )
    assert ids(call(modules, "/groups.js", "grouped", LIMITS[6:7], NOW, 0)) == ([], ["canceled"])


def test_only_limits_of_one_type_period_and_currency_have_a_sum(modules: Page) -> None:
    limits = [
        limit("a", brandId="x", amount="100.10", progress="0.1"),
        limit("b", brandId="y", amount="200.20", progress="0.2"),
        limit("c", currencyCode="SEK", amount="5", progress="1"),
        limit("d", currencyCode="SEK", amount="7", progress="1"),
        limit("another currency", currencyCode="JPY"),
        limit("another period", periodType="DAILY"),
        limit("no period", periodType=None),
        limit("no period either", periodType=None),
    ]
    found = call(modules, "/groups.js", "totals", limits)
    assert [(each["period"], each["currencyCode"], each["count"]) for each in found] == [
        ("Weekly", "EUR", 2),
        ("Weekly", "SEK", 2),
    ]
    assert [(Decimal(each["progress"]), Decimal(each["amount"])) for each in found] == [
        (Decimal("0.3"), Decimal("300.30")),
        (Decimal(2), Decimal(12)),
    ]


def test_a_sum_is_exact(modules: Page) -> None:
    @given(st.lists(st.decimals(-(10**30), 10**30, allow_nan=False, places=9), min_size=2, max_size=2))
    def check(numbers: list[Decimal]) -> None:
        found = Decimal(call(modules, "/decimal.js", "plus", *map(str, numbers)))
        assert found == Context(prec=60).add(*numbers)

    check()


def test_a_filter_lets_pass_what_is_chosen(modules: Page) -> None:
    limits = [
        limit("a", type="BET", brandId="x", name="Fun"),
        limit("b", type="BET", brandId=None, name="Poker fun"),
        limit("c", type=None, brandId="x", name="Other"),
    ]

    def passing(**chosen: object) -> list[str]:
        found = call(modules, "/groups.js", "filtered", limits, {"text": "", **chosen})
        return [each["limitId"] for each in found]

    assert passing() == ["a", "b", "c"]
    assert passing(type="BET") == ["a", "b"]
    assert passing(type=None) == ["c"]
    assert passing(brand="x") == ["a", "c"]
    assert passing(brand=None) == ["b"]
    assert passing(text=" FUN ") == ["a", "b"]
    assert passing(text="fun", brand="x") == ["a"]


def test_the_brand_is_said_only_where_there_are_several(modules: Page) -> None:
    branded = limit("a", brandId="Casino\u202e X")
    assert call(modules, "/limit.js", "kind", branded, 0)["more"] == "calendar week"
    assert call(modules, "/limit.js", "kind", branded, 1)["more"] == "calendar week · Casino X"
    assert call(modules, "/limit.js", "kind", limit("a"), 1)["more"] == "calendar week"
