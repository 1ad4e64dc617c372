"""Many limits: groups, rows and filters; few of them on a screen cost little, and all of them no patience."""

from itertools import count, product

import pytest
from playwright.sync_api import expect

from page.conftest import OpenPage
from page.test_page import card, wait_for_refresh
from page.website import Website

PHONE = {"width": 390, "height": 844}
TYPES = ("DEPOSIT", "LOSS", "BET", "SESSION", "BALANCE")
PERIODS = ("CALENDAR_DAY", "CALENDAR_WEEK", "CALENDAR_MONTH")
numbers = count()


def user_with(site: Website, brands: int) -> str:
    """Return a user with 15 limits at each brand: one of them exceeded, one used up, one not in force."""
    user = f"max-{next(numbers)}"
    for brand, (number, (kind, period)) in product(range(brands), enumerate(product(TYPES, PERIODS))):
        progress = {3: "120", 4: "100"}.get(number, "10") if brand == 0 else "10"
        status = "CANCELED" if brand == 0 and number == 5 else "ACTIVE"
        site.create(
            user,
            f"{brand}-{number}",
            "100",
            type=kind,
            period=period,
            progress=progress,
            status=status,
            brandId=f"Brand {brand}",
            currencyCode="EUR",
        )
    return user


@pytest.fixture(scope="module")
def fifteen(site: Website) -> str:
    return user_with(site, 1)


@pytest.fixture(scope="module")
def thirty(site: Website) -> str:
    return user_with(site, 2)


def test_fifteen_limits_are_groups_of_rows_what_is_reached_first_and_the_rest_folded(
    open_page: OpenPage, fifteen: str
) -> None:
    page = open_page(f"/users/{fifteen}")
    expect(page.locator(".group article")).to_have_count(14)
    expect(page.locator(".group h2")).to_have_text(
        ["Reached2", "Deposits3", "Bets3", "Playing time3", "Balance3"]
    )
    expect(page.locator(".group").first.get_by_role("heading", level=3)).to_have_text(
        ["Daily losses", "Weekly losses"]
    )
    expect(card(page, "Monthly losses")).to_be_hidden()
    page.get_by_text("One limit is not in force").click()
    expect(card(page, "Monthly losses")).to_be_visible()


def test_fifteen_limits_take_at_most_three_screens_of_a_phone(open_page: OpenPage, fifteen: str) -> None:
    page = open_page(f"/users/{fifteen}", viewport=PHONE)
    expect(page.locator(".group article")).to_have_count(14)
    page.locator("#idle").evaluate("idle => idle.open = true")
    assert page.evaluate("document.documentElement.scrollHeight") <= 3 * PHONE["height"]
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_a_row_opens_to_all_that_a_card_says(open_page: OpenPage, fifteen: str) -> None:
    page = open_page(f"/users/{fifteen}", viewport=PHONE)
    shown = card(page, "Daily bets")
    expect(shown.get_by_text("€10.00 of €100.00")).to_be_hidden()
    shown.get_by_role("button", name="History Daily bets").click()
    expect(shown.locator(".used")).to_be_visible()
    expect(shown.get_by_text("Status")).to_be_visible()
    expect(shown.locator(".timeline")).to_contain_text("Limit set to €100.00")


def test_limits_are_filtered_by_type_brand_and_title(open_page: OpenPage, thirty: str) -> None:
    page = open_page(f"/users/{thirty}")
    shown = page.locator(".group article")
    expect(shown).to_have_count(29)
    page.get_by_text("Bets 6").click()
    expect(shown).to_have_count(6)
    page.get_by_label("Brand").select_option("Brand 1")
    expect(shown).to_have_count(3)
    page.get_by_label("Title").fill("weekly")
    expect(shown).to_have_count(1)
    expect(shown).to_contain_text("calendar week · Brand 1")
    page.get_by_label("Title").fill("nothing is called so")
    expect(page.get_by_text("No limit fits.")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(shown).to_have_count(29)
    expect(page.get_by_role("heading", level=1)).to_be_focused()


def test_a_filter_stays_when_figures_change(open_page: OpenPage, site: Website) -> None:
    user = user_with(site, 1)
    page = open_page(f"/users/{user}")
    page.get_by_text("Bets 3").click()
    expect(page.locator(".group article")).to_have_count(3)
    site.use(user, "0-6", "100")
    wait_for_refresh(page)
    expect(page.locator(".group").first).to_contain_text("Reached1")
    expect(page.locator(".group article")).to_have_count(3)


def test_the_summarys_link_leads_to_a_limit_that_is_filtered_out(open_page: OpenPage, fifteen: str) -> None:
    page = open_page(f"/users/{fifteen}")
    page.get_by_text("Bets 3").click()
    expect(page.locator(".group article")).to_have_count(3)
    page.locator("#summary").get_by_role("link", name="Daily losses").click()
    expect(page.get_by_role("heading", name="Daily losses")).to_be_focused()


def test_the_filters_are_reached_and_chosen_by_the_keyboard(open_page: OpenPage, fifteen: str) -> None:
    page = open_page(f"/users/{fifteen}")
    page.get_by_role("radio", name="All 15").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Deposits 3")).to_be_checked()
    expect(page.locator(".group article")).to_have_count(3)


def test_limits_of_several_brands_have_sums(open_page: OpenPage, thirty: str) -> None:
    page = open_page(f"/users/{thirty}")
    expect(page.locator("[data-name=BET] .totals li")).to_have_text(
        [f"{period}, 2 limits: €20.00 of €200.00" for period in ("Daily", "Weekly", "Monthly")]
    )
    expect(page.locator("[data-name=reached] .totals")).to_be_hidden()


def test_of_many_limits_only_a_screen_is_made_before_the_page_is_painted(
    open_page: OpenPage, site: Website
) -> None:
    """So that no number of limits makes a reader wait: decision 33 has the figures."""
    user = user_with(site, 17)
    page = open_page("/")
    page.evaluate("""() => {
        window.counts = [];
        const count = () => counts.push(document.querySelectorAll("article").length);
        new MutationObserver(count).observe(document.querySelector("#groups"), { childList: true });
    }""")
    page.get_by_role("textbox", name="User").fill(user)
    page.keyboard.press("Enter")
    expect(page.locator("article")).to_have_count(255)
    assert page.evaluate("counts")[0] <= 16


def test_few_limits_are_cards_without_filters(open_page: OpenPage) -> None:
    page = open_page("/users/anna")
    expect(card(page, "Monthly budget")).to_be_visible()
    expect(page.get_by_role("form", name="Filters")).to_be_hidden()
    expect(page.get_by_role("heading", name="In force")).to_have_count(1)
    expect(page.locator(".rows article")).to_have_count(0)


def test_all_is_legible_at_twice_the_size(open_page: OpenPage, fifteen: str) -> None:
    """Zoomed to 200 %, a window of 1280 points has 640 of them."""
    page = open_page(f"/users/{fifteen}", viewport={"width": 640, "height": 400})
    expect(page.locator(".group article")).to_have_count(14)
    card(page, "Daily bets").get_by_role("button").click()
    expect(card(page, "Daily bets").locator(".timeline li")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") == 640


def test_all_limits_are_printed_also_those_that_are_folded_away(open_page: OpenPage, fifteen: str) -> None:
    page = open_page(f"/users/{fifteen}")
    expect(page.locator(".group article")).to_have_count(14)
    page.emulate_media(media="print")
    expect(card(page, "Monthly losses").locator(".percentage")).to_be_visible()
    expect(page.get_by_role("form", name="Filters")).to_be_hidden()
    expect(page.locator(".open").first).to_be_hidden()
