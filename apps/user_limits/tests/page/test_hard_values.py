"""What producers state may be long, huge, tiny, blank or from right to left: the page stays calm."""

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from page.conftest import OpenPage
from page.test_page import bar, card, wait_for_refresh
from page.website import NOW, Website

EURO_LOSSES: dict[str, Any] = {"type": "LOSS", "period": "CALENDAR_WEEK", "currencyCode": "EUR"}
SIZES = [{"width": 1280, "height": 800}, {"width": 320, "height": 640}]

INSIDE = """card => {
    const edge = card.getBoundingClientRect();
    const boxes = [...card.querySelectorAll(":not(.fill)")].map(each => each.getBoundingClientRect());
    return boxes.every(box => box.width === 0 || box.left >= edge.left - 1 && box.right <= edge.right + 1);
}"""


def days(number: float) -> int:
    """Return a time so many days from now, as an event has it."""
    return round((NOW + timedelta(days=number)).timestamp() * 1_000)


def test_what_is_nearly_used_up_is_not_said_to_be(open_page: OpenPage, site: Website) -> None:
    site.create("lea", "losses", "20000", progress="19999", **EURO_LOSSES)
    page = open_page("/users/lea")
    shown = card(page, "Weekly losses")
    expect(shown.locator(".figure")).to_have_text("Left Almost used up €1.00")
    expect(shown.locator(".percentage")).to_have_text("99.99%")
    expect(bar(page, "Weekly losses")).to_have_attribute("aria-valuenow", "99.99")
    site.use("lea", "losses", "1")
    wait_for_refresh(page)
    expect(shown.locator(".figure")).to_have_text("Left Used up €0.00")
    expect(shown.locator(".percentage")).to_have_text("100%")
    site.use("lea", "losses", "0.001")
    wait_for_refresh(page)
    expect(shown.locator(".figure")).to_have_text("Over by Limit exceeded €0.001")
    expect(shown.locator(".percentage")).to_have_text("100.01%")


def test_amounts_are_shown_with_all_their_digits(open_page: OpenPage, site: Website) -> None:
    site.create("mo", "yen", "50000.75", progress="12345.40", name="Yen", currencyCode="JPY")
    site.create("mo", "euros", "9007199254740993", progress="9007199254740993.01", **EURO_LOSSES)
    site.create("mo", "time", "5400", progress="5385", type="SESSION", period="DAY")
    page = open_page("/users/mo", locale="en-US")
    for title, figure, used in [
        ("Yen", "¥37,655.35", "¥12,345.40 of ¥50,000.75"),
        ("Weekly losses", "€0.01", "€9,007,199,254,740,993.01 of €9,007,199,254,740,993.00"),
        ("Daily playing time", "15 s", "1 h 29 min 45 s of 1 h 30 min"),
    ]:
        expect(card(page, title).locator("strong")).to_have_text(figure)
        expect(card(page, title).locator(".used")).to_have_text(used)


@pytest.mark.parametrize("viewport", SIZES, ids=["wide", "phone"])
def test_no_name_and_no_amount_breaks_the_page(
    open_page: OpenPage, site: Website, viewport: dict[str, int]
) -> None:
    user = f"nia{viewport['width']}"
    hard: dict[str, Any] = {"value": "1E-130", "progress": "9E125", "currencyCode": "EUR"}
    site.create(user, "share", **hard)
    site.create(user, "huge", "9.9E125", progress="1E125", currencyCode="DOGECOIN" * 30)
    site.create(user, "long", "99999999999999999999999999999999999999", name="W" * 256, progress="1")
    site.create(user, "near", "100", progress="85", name="Anlagenbetriebskostenobergrenze" * 8)
    site.create(user, "time", "1E125", progress="99999999999999", type="SESSION")
    site.create(user, "i" * 256, "100", progress="100")
    page = open_page(f"/users/{user}", viewport=viewport)
    expect(page.get_by_role("article")).to_have_count(6)
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    for each in page.get_by_role("article").all():
        assert each.evaluate(INSIDE)
    assert len(page.locator("#summary").inner_text()) < 350
    heading = page.get_by_role("heading", name="W" * 256)
    height = heading.evaluate("heading => heading.offsetHeight")
    heading.click()
    assert height < 100 < heading.evaluate("heading => heading.offsetHeight"), "all of it, for who asks"


def test_a_name_turns_nothing_round_but_itself(open_page: OpenPage, site: Website) -> None:
    site.create("ora", "a", "100", progress="85", name="\u202egnp.exe")
    site.create("ora", "b", "100", progress="85", name="ميزانية الشهر")
    site.create("ora", "c", "100", progress="85", name="z last")
    page = open_page("/users/ora")
    links = page.locator("#summary a")
    expect(links).to_have_text(["gnp.exe", "z last", "ميزانية الشهر"])
    lefts = [link.bounding_box() or {"x": 0} for link in links.all()]
    assert lefts == sorted(lefts, key=lambda box: box["x"])
    heading = card(page, "ميزانية الشهر").get_by_role("heading")
    assert heading.evaluate("heading => getComputedStyle(heading).textAlign") == "left"


def test_a_name_of_which_nothing_is_seen_is_none(open_page: OpenPage, site: Website) -> None:
    site.create("\u200b", "blank", "100", progress="85", name="   ", **EURO_LOSSES)
    page = open_page("/users/%E2%80%8B")
    expect(page.get_by_role("heading", level=1)).to_have_text("%E2%80%8B")
    expect(page.get_by_role("heading", level=3)).to_have_text("Weekly losses")
    expect(page.locator("#summary a")).to_have_text("Weekly losses")


def test_an_address_that_cannot_be_read_says_so_and_asks_for_a_user(open_page: OpenPage) -> None:
    page = open_page("/users/%ff")
    expect(page.get_by_role("alert")).to_have_text("This address names no user: a part of it cannot be read.")
    page.get_by_role("textbox", name="User").fill("anna")
    page.keyboard.press("Enter")
    expect(card(page, "Monthly budget")).to_be_visible()
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_limit_that_has_ended_resets_no_more(open_page: OpenPage, site: Website) -> None:
    site.create("pia", "over", "100", name="Over", activeUntil=days(-1), nextResetTime=days(3))
    site.create("pia", "ends", "100", name="Ends", activeUntil=days(2), nextResetTime=days(3))
    site.create("pia", "later", "100", name="Later", activeUntil=days(4), nextResetTime=days(3))
    page = open_page("/users/pia")
    page.get_by_text("One limit is not in force").click()
    for title, text in [
        ("Over", "Ended1 d agoThu 19 Nov, 20:10"),
        ("Ends", "Endsin 2 d 0 hSun 22 Nov, 20:10"),
        ("Later", "Resetsin 3 d 0 hMon 23 Nov, 20:10"),
    ]:
        expect(card(page, title).locator(".reset")).to_have_text(text)
    expect(card(page, "Over")).not_to_contain_text("Until")
    expect(card(page, "Later")).to_contain_text("Until 24 Nov 2026")
    page.clock.fast_forward(round(timedelta(days=2, seconds=1) / timedelta(milliseconds=1)))
    expect(card(page, "Ends").locator(".reset")).to_have_text("Endedjust nowSun 22 Nov, 20:10")


def test_the_bars_are_printed_and_what_runs_on_is_not(open_page: OpenPage) -> None:
    page = open_page("/users/ben", color_scheme="dark")
    shown = card(page, "Weekly losses")
    expect(shown).to_be_visible()
    page.emulate_media(media="print")
    for part in [".bar", ".fill", ".pill"]:
        style = "each => getComputedStyle(each).printColorAdjust"
        assert shown.locator(part).evaluate(style) == "exact"
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
    expect(page.get_by_role("button", name="Show")).to_be_hidden()
    expect(shown.locator(".countdown")).to_be_hidden()
    expect(shown.locator(".moment")).to_be_visible()


def focused(page: Page) -> Locator:
    return page.locator(":focus")


def test_the_focus_stays_where_it_is_when_figures_change(open_page: OpenPage, site: Website) -> None:
    for name, progress in [("a", "10"), ("b", "85"), ("c", "85")]:
        site.create("ravi", name, "100", progress=progress, name=name)
    page = open_page("/users/ravi")
    page.locator("#summary").get_by_role("link", name="b").focus()
    site.use("ravi", "a", "80")
    wait_for_refresh(page)
    expect(page.locator("#summary a")).to_have_text(["a", "b", "c"])
    expect(focused(page)).to_have_text("b")
    site.use("ravi", "c", "20")  # now above the limit, and named first
    wait_for_refresh(page)
    expect(page.locator("#summary a")).to_have_text(["c", "a", "b"])
    expect(focused(page)).to_have_text("b")
    page.keyboard.press("Enter")
    site.create("ravi", "b", "100", progress="85", name="b", status="CANCELED")  # the card moves to the end
    wait_for_refresh(page)
    expect(page.get_by_role("heading", level=3)).to_have_text(["c", "a", "b"])
    expect(focused(page)).to_have_text("b")


def test_the_focus_goes_to_the_user_when_what_had_it_is_gone(open_page: OpenPage, site: Website) -> None:
    site.create("sol", "a", "100", progress="85", name="a")
    page = open_page("/users/sol")
    page.locator("#summary").get_by_role("link", name="a").focus()
    site.use("sol", "a", "-50")
    wait_for_refresh(page)
    expect(page.locator("#summary")).to_have_text("The limit has room left.")
    expect(page.get_by_role("heading", level=1)).to_be_focused()


def test_the_focus_goes_to_the_user_when_trying_again_has_helped(open_page: OpenPage) -> None:
    page = open_page("/")
    page.route("**/api/**", lambda route: route.abort())
    page.goto("/users/anna")
    page.get_by_role("button", name="Try again").focus()
    page.unroute_all()
    page.keyboard.press("Enter")
    expect(card(page, "Monthly budget")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_be_focused()


def test_the_summary_calls_a_limit_what_it_is_called_now(open_page: OpenPage, site: Website) -> None:
    site.create("tom", "a", "100", progress="85", name="Before")
    page = open_page("/users/tom")
    expect(page.locator("#summary a")).to_have_text("Before")
    site.create("tom", "a", "100", progress="85", name="After")
    wait_for_refresh(page)
    expect(page.locator("#summary a")).to_have_text("After")
