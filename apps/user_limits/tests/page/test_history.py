"""What a card opens to: pace, periods and a timeline."""

from datetime import timedelta
from itertools import count

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from page.conftest import OpenPage
from page.test_page import card, wait_for_refresh
from page.website import NOW, Website

numbers = count()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def vera(site: Website) -> str:
    """A user with a weekly limit: three periods, the second of which was exceeded."""
    user = f"vera-{next(numbers)}"
    reset_at = round((NOW + 3 * DAY).timestamp() * 1_000)
    site.create(user, "dep", "100", type="DEPOSIT", period="WEEK", currencyCode="EUR", at=NOW - 18 * DAY)
    site.use(user, "dep", "40", at=NOW - 17 * DAY)
    site.reset(user, "dep", at=NOW - 11 * DAY)
    site.use(user, "dep", "130.50", at=NOW - 10 * DAY)
    site.reset(user, "dep", at=NOW - 4 * DAY, nextResetTime=reset_at)
    for day in (3, 2, 1):
        site.use(user, "dep", "10", at=NOW - day * DAY)
    return user


def opened(page: Page, title: str = "Weekly deposits") -> Locator:
    shown = card(page, title)
    shown.get_by_role("button", name=f"History {title}").click()
    return shown


def test_a_card_opens_to_what_happened_newest_first(open_page: OpenPage, vera: str) -> None:
    shown = opened(open_page(f"/users/{vera}"))
    expect(shown.locator(".timeline li")).to_have_text(
        [
            "Thu 19 Nov, 20:10€10.00 used€30.00 of €100.00",
            "Wed 18 Nov, 20:10€10.00 used€20.00 of €100.00",
            "Tue 17 Nov, 20:10€10.00 used€10.00 of €100.00",
            "Mon 16 Nov, 20:10Reset: €130.50 had been used",
            "Tue 10 Nov, 20:10€130.50 used€130.50 of €100.00",
            "Mon 9 Nov, 20:10Reset: €40.00 had been used",
            "Tue 3 Nov, 20:10€40.00 used€40.00 of €100.00",
            "Mon 2 Nov, 20:10Limit set to €100.00€0.00 of €100.00",
        ]
    )
    expect(shown.locator(".pace")).to_have_text(
        "57% of the period has gone, 30% of the limit is used. At this rate 53% will be used when it resets."
    )
    expect(shown.get_by_role("button", name="Show earlier")).to_be_hidden()
    expect(shown.locator(".explanations")).to_contain_text(
        "At a reset, what is used starts again at nothing."
    )


def test_the_periods_are_bars_for_the_eye_and_a_table_for_the_ear(open_page: OpenPage, vera: str) -> None:
    shown = opened(open_page(f"/users/{vera}"))
    expect(shown.locator(".chart rect")).to_have_count(3)
    states = shown.locator(".chart rect").evaluate_all("bars => bars.map(bar => bar.getAttribute('class'))")
    assert states == ["past", "over", "running"]
    expect(shown.get_by_role("table", name="Used in each period")).to_be_visible()
    expect(shown.get_by_role("row")).to_have_text(
        [
            "PeriodUsedLimit",
            "2 Nov to 9 Nov€40.00€100.00",
            "9 Nov to 16 Nov€130.50€100.00",
            "Since 16 Nov€30.00€100.00",
        ]
    )


def test_an_open_card_shows_the_next_change_too(open_page: OpenPage, vera: str, site: Website) -> None:
    page = open_page(f"/users/{vera}")
    shown = opened(page)
    expect(shown.locator(".timeline li")).to_have_count(8)
    site.use(vera, "dep", "-5")
    wait_for_refresh(page)
    expect(shown.locator(".timeline li").first).to_have_text(
        "Fri 20 Nov, 20:10€5.00 taken back€25.00 of €100.00"
    )
    expect(shown.locator(".timeline li")).to_have_count(9)


def test_earlier_changes_are_read_on_demand_and_stay(open_page: OpenPage, vera: str, site: Website) -> None:
    for hour in range(23, 3, -1):
        site.use(vera, "dep", "1", at=NOW - hour * HOUR)
    page = open_page(f"/users/{vera}")
    shown = opened(page)
    entries, more = shown.locator(".timeline li"), shown.get_by_role("button", name="Show earlier")
    expect(entries).to_have_count(10)
    more.click()
    expect(entries).to_have_count(20)
    site.use(vera, "dep", "1")
    wait_for_refresh(page)
    expect(entries).to_have_count(21)
    more.press("Enter")
    expect(entries).to_have_count(29)
    expect(more).to_be_hidden()
    expect(shown.locator(".timeline")).to_be_focused()
    expect(entries.last).to_contain_text("Limit set to €100.00")


def test_changes_between_which_some_are_missing_are_not_shown_as_one_list(
    open_page: OpenPage, vera: str, site: Website
) -> None:
    page = open_page(f"/users/{vera}")
    shown = opened(page)
    expect(shown.locator(".timeline li")).to_have_count(8)
    for _ in range(15):
        site.use(vera, "dep", "1")
    wait_for_refresh(page)
    expect(shown.locator(".timeline li")).to_have_count(10)
    shown.get_by_role("button", name="Show earlier").click()
    expect(shown.locator(".timeline li")).to_have_count(20)


def test_a_card_is_opened_and_closed_by_the_keyboard_and_by_a_click_on_it(
    open_page: OpenPage, vera: str
) -> None:
    page = open_page(f"/users/{vera}")
    shown = card(page, "Weekly deposits")
    button = shown.get_by_role("button", name="History Weekly deposits")
    expect(button).to_have_attribute("aria-expanded", "false")
    button.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(shown.get_by_role("heading", name="What happened")).to_be_visible()
    button.press("Space")
    expect(shown.get_by_role("heading", name="What happened")).to_have_count(0)
    shown.locator(".kind").click()
    expect(button).to_have_attribute("aria-expanded", "true")


def test_what_happened_may_be_missing_and_is_asked_for_again(open_page: OpenPage, vera: str) -> None:
    page = open_page(f"/users/{vera}")
    expect(card(page, "Weekly deposits")).to_be_visible()
    page.route(
        "**/activity?**", lambda route: route.fulfill(status=503, json={"detail": "the store did not answer"})
    )
    shown = opened(page)
    expect(shown.get_by_role("alert")).to_contain_text(
        "What happened cannot be shown now. The store did not answer."
    )
    page.unroute_all()
    shown.get_by_role("button", name="Try again").click()
    expect(shown.locator(".timeline li")).to_have_count(8)
    expect(shown.get_by_role("alert")).to_be_hidden()


def test_the_mark_on_a_bar_stands_where_the_period_is(open_page: OpenPage, vera: str) -> None:
    page = open_page(f"/users/{vera}")
    tick = card(page, "Weekly deposits").locator(".tick")
    expect(tick).to_be_visible()
    assert tick.evaluate("tick => tick.style.getPropertyValue('--gone')") == "57.1%"


def test_a_limit_whose_updates_wait_says_so_and_why(open_page: OpenPage, vera: str) -> None:
    page = open_page("/")

    def answer(route: Route) -> None:
        fetched = route.fetch()
        document = fetched.json()
        for limit in document["data"]:
            limit["waitingSince"] = "2026-11-20T18:00:00Z"
        route.fulfill(response=fetched, json=document)

    page.route("**/limits?**", answer)
    page.get_by_role("textbox", name="User").fill(vera)
    page.keyboard.press("Enter")
    shown = card(page, "Weekly deposits")
    expect(shown).to_contain_text("Waiting for a missing update since 20 Nov 2026")
    opened(page)
    expect(shown.locator(".explanations")).to_contain_text("An update of this limit is missing.")


@pytest.mark.parametrize("ahead", [timedelta(hours=-2), timedelta(hours=2)])
def test_countdowns_run_by_the_servers_clock(open_page: OpenPage, vera: str, ahead: timedelta) -> None:
    page = open_page("/")

    def answer(route: Route) -> None:
        fetched = route.fetch()
        date = (NOW + ahead).strftime("%a, %d %b %Y %H:%M:%S GMT")
        route.fulfill(response=fetched, headers={**fetched.headers, "date": date})

    page.route("**/api/**", answer)
    page.get_by_role("textbox", name="User").fill(vera)
    page.keyboard.press("Enter")
    left = "in 3 d 2 h" if ahead < timedelta(0) else "in 2 d 22 h"
    expect(card(page, "Weekly deposits").locator(".countdown")).to_have_text(left)
