"""What a reader of the page sees and does, and what it asks the application for meanwhile."""

from datetime import timedelta
from itertools import pairwise

import pytest
from playwright.sync_api import Locator, Page, Request, Response, expect

from page.conftest import OpenPage
from page.website import Website

MANY = 200
HALF_A_MINUTE_BEFORE_MIDNIGHT = round(timedelta(hours=3, minutes=49, seconds=30) / timedelta(milliseconds=1))

LOOK = """where => {
    Object.defineProperty(document, 'hidden', { configurable: true, value: where === 'away' });
    document.dispatchEvent(new Event('visibilitychange'));
}"""
AT_REST = "fill => Promise.all(fill.getAnimations().map(each => each.finished)).then(() => true)"
SHOWN_SHARE = """fill => {
    const [shown, whole] = [fill, fill.parentElement].map(each => each.getBoundingClientRect());
    return (shown.right - whole.left) / whole.width;
}"""


def card(page: Page, title: str) -> Locator:
    return page.get_by_role("article", name=title, exact=True)


def bar(page: Page, title: str) -> Locator:
    return page.get_by_role("progressbar", name=title, exact=True)


def field(page: Page) -> Locator:
    return page.get_by_role("textbox", name="User")


def wait_for_refresh(page: Page) -> Response:
    """Let time pass until the page refreshes, and wait for the answer.

    Not just the three seconds: the page may still be at the last answer, and wait only from then on. And not
    until any request: it also asks for files of its own, after which no answer of the API would come.
    """
    asked: list[Request] = []

    def keep(request: Request) -> None:
        if "/api/" in request.url:
            asked.append(request)

    page.on("request", keep)
    with page.expect_response(lambda response: "/api/" in response.url) as answer:
        for _ in range(MANY):
            page.clock.run_for(1_000)
            if asked:
                break
    page.remove_listener("request", keep)
    return answer.value


def test_a_user_who_is_asked_for_is_found(open_page: OpenPage) -> None:
    page = open_page("/")
    expect(page).to_have_title("Limits")
    field(page).fill("anna")
    page.keyboard.press("Enter")
    expect(page).to_have_url("/users/anna")
    expect(page).to_have_title("anna · Limits")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.get_by_role("heading", level=3)).to_have_text(
        ["Daily deposits", "Monthly budget", "Time to play"]
    )
    expect(page.locator("#summary")).to_have_text("All 3 limits have room left.")


def test_an_address_leads_to_a_user_and_back(open_page: OpenPage) -> None:
    page = open_page("/users/anna")
    expect(card(page, "Monthly budget")).to_be_visible()
    field(page).fill("ben")
    page.get_by_role("button", name="Show").click()
    expect(card(page, "Weekly losses")).to_be_visible()
    expect(card(page, "Monthly budget")).to_have_count(0)
    page.go_back()
    expect(card(page, "Monthly budget")).to_be_visible()
    page.get_by_role("link", name="Limits, start page").click()
    expect(page.get_by_role("heading", name="Your limits, at a glance")).to_be_visible()


def test_a_card_says_what_is_used_and_what_is_left_and_when_it_resets(open_page: OpenPage) -> None:
    page = open_page("/users/anna")
    shown = card(page, "Monthly budget")
    expect(shown.locator("strong")).to_have_text("€1,320.10")
    for text in [
        "Deposit limit · calendar month",
        "€179.90 of €1,500.00",
        "12%",
        "in 10 d 3 h",
        "Tue 1 Dec, 00:00",
        "Active",
        "Updated 1 d ago",
        "Was €1,000.00 before",
    ]:
        expect(shown).to_contain_text(text)
    expect(bar(page, "Monthly budget")).to_have_attribute("aria-valuenow", "11.99")
    expect(bar(page, "Monthly budget")).to_have_attribute(
        "aria-valuetext", "€179.90 of €1,500.00 used, €1,320.10 left"
    )


def test_a_session_is_in_hours_and_minutes(open_page: OpenPage) -> None:
    shown = card(open_page("/users/anna"), "Time to play")
    expect(shown.locator("strong")).to_have_text("1 h 45 min")
    expect(shown).to_contain_text("2 h 15 min of 4 h")


@pytest.mark.parametrize(
    ("user", "title", "word", "figure"),
    [
        ("ben", "Weekly losses", "Almost used up", "Left Almost used up SEK 165.00"),
        ("chiara", "Daily bets", "Limit exceeded", "Over by Limit exceeded €12.50"),
    ],
)
def test_what_needs_attention_is_said_in_words(
    open_page: OpenPage, user: str, title: str, word: str, figure: str
) -> None:
    page = open_page(f"/users/{user}")
    shown = card(page, title)
    expect(shown.locator(".pill")).to_have_text(word)
    expect(shown.locator(".figure")).to_have_text(figure)
    expect(page.locator("#summary")).to_have_text(f"{word}: {title}. The other 2 limits have room left.")
    page.get_by_role("link", name=title).press("Enter")
    expect(page.get_by_role("heading", name=title)).to_be_focused()


def test_what_is_above_a_limit_does_not_break_its_bar(open_page: OpenPage) -> None:
    shown = bar(open_page("/users/chiara"), "Daily bets")
    expect(shown).to_have_attribute("aria-valuenow", "100")
    expect(shown).to_have_attribute("aria-valuetext", "€112.50 of €100.00 used, €12.50 over")


@pytest.mark.parametrize(
    ("user", "remarks"),
    [
        (
            "daniel",
            {
                "Monthly bets": "Figures corrected on 19 Nov 2026",
                "Weekly deposits": "Rebuilt from what was seen of it",
            },
        ),
        (
            "elin",
            {
                "Weekly bets": "Until 26 Nov 2026",
                "Balance cap": "ResetsNever",
                "Monthly deposits": "Startsin 10 d 3 hTue 1 Dec, 00:00",
            },
        ),
    ],
)
def test_what_is_special_about_a_limit_is_said_quietly(
    open_page: OpenPage, user: str, remarks: dict[str, str]
) -> None:
    page = open_page(f"/users/{user}")
    expect(page.get_by_role("article").first).to_be_visible()
    page.locator("#idle").evaluate("idle => idle.open = true")
    for title, remark in remarks.items():
        expect(card(page, title)).to_contain_text(remark)


def test_a_bar_moves_smoothly_after_an_event_is_processed(open_page: OpenPage, site: Website) -> None:
    site.create("fay", "bets", "200", type="BET", period="DAY", currencyCode="EUR")
    page = open_page("/users/fay")
    expect(bar(page, "Daily bets")).to_have_attribute("aria-valuenow", "0")
    element = bar(page, "Daily bets").element_handle()
    page.locator(".fill").evaluate(AT_REST)
    page.locator(".fill").evaluate(
        "fill => fill.addEventListener('transitionrun', event => fill.dataset.moved = event.propertyName)"
    )

    site.use("fay", "bets", "70.50")
    wait_for_refresh(page)

    expect(bar(page, "Daily bets")).to_have_attribute("aria-valuenow", "35.25")
    expect(card(page, "Daily bets")).to_contain_text("€70.50 of €200.00")
    expect(page.locator(".fill")).to_have_attribute("data-moved", "transform")
    assert bar(page, "Daily bets").evaluate("(now, before) => now === before", element)
    page.locator(".fill").evaluate(AT_REST)
    assert page.locator(".fill").evaluate(SHOWN_SHARE) == pytest.approx(0.3525, abs=0.005)


def test_a_limit_that_comes_near_is_announced_once(open_page: OpenPage, site: Website) -> None:
    site.create("gus", "loss", "100", name="Losses at most", currencyCode="EUR")
    site.create("gus", "bets", "100", name="Bets at most", progress="90")
    page = open_page("/users/gus")
    announced = page.locator("#announcement")
    expect(card(page, "Bets at most")).to_contain_text("Almost used up")
    expect(announced).to_be_empty()
    site.use("gus", "loss", "80")
    wait_for_refresh(page)
    expect(announced).to_have_text("Losses at most: Almost used up.")
    announced.evaluate("element => element.textContent = 'read'")
    site.use("gus", "loss", "5")
    wait_for_refresh(page)
    expect(card(page, "Losses at most")).to_contain_text("€15.00")
    expect(announced).to_have_text("read")
    site.use("gus", "loss", "20")
    wait_for_refresh(page)
    expect(announced).to_have_text("Losses at most: Limit exceeded.")


def test_an_unknown_user_has_no_limits_until_the_first_appears(open_page: OpenPage, site: Website) -> None:
    page = open_page("/users/hal")
    expect(page.get_by_role("heading", name="No limits for this user")).to_be_visible()
    site.create("hal", "deposits", "10", type="DEPOSIT", period="DAY")
    wait_for_refresh(page)
    expect(card(page, "Daily deposits")).to_be_visible()
    expect(page.get_by_role("heading", name="No limits for this user")).to_be_hidden()


def test_a_reader_who_is_offline_learns_since_when(open_page: OpenPage) -> None:
    page = open_page("/users/anna")
    expect(page.locator("#freshness")).to_have_text("Checked just now")
    page.context.set_offline(True)
    banner = page.locator("#banner")
    expect(banner).to_have_text("Offline since 20:10. These are the last known figures.")
    expect(card(page, "Monthly budget")).to_be_visible()
    page.clock.run_for(2_000)
    page.clock.run_for(3_000)
    expect(page.locator("#freshness")).to_have_text("Checked 5 s ago")
    page.context.set_offline(False)
    expect(banner).to_be_empty()
    expect(page.locator("#freshness")).to_have_text("Checked just now")


def test_a_problem_of_the_api_is_reported_in_its_words(open_page: OpenPage) -> None:
    page = open_page("/users/anna")
    expect(card(page, "Monthly budget")).to_be_visible()
    page.route(
        "**/api/**",
        lambda route: route.fulfill(status=503, json={"status": 503, "detail": "the store did not answer"}),
    )
    wait_for_refresh(page)
    expect(page.locator("#banner")).to_have_text(
        "No new figures since 20:10. The store did not answer. These are the last known figures."
    )
    page.reload()
    expect(page.get_by_role("heading", name="The limits cannot be shown")).to_be_visible()
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(card(page, "Monthly budget")).to_be_visible()


def test_what_fails_is_asked_less_and_less_often(open_page: OpenPage) -> None:
    page = open_page("/")
    page.evaluate("""async () => {
        const { Poll } = await import("/poll.js");
        window.asked = [];
        new Poll(async () => {
            asked.push(Date.now());
            return asked.length <= 5 ? 6_000 : 0;
        }).now();
    }""")
    page.clock.run_for(120_000)
    asked = page.evaluate("asked")
    waits = [(after - before) / 1000 for before, after in pairwise(asked)]
    assert waits[:7] == [6, 12, 24, 30, 30, 3, 3]


def test_what_has_not_changed_is_not_sent_again(open_page: OpenPage, site: Website) -> None:
    site.create("ida", "bets", "50", type="BET", period="WEEK", currencyCode="EUR")
    page = open_page("/users/ida")
    expect(card(page, "Weekly bets")).to_be_visible()
    assert wait_for_refresh(page).status == 304
    site.use("ida", "bets", "1")
    assert wait_for_refresh(page).status == 200
    assert wait_for_refresh(page).status == 304
    expect(card(page, "Weekly bets")).to_contain_text("€1.00 of €50.00")


def test_all_pages_of_a_long_list_are_read(open_page: OpenPage, site: Website) -> None:
    for number in range(101):
        site.create("jo", f"limit-{number:03}", "5", name=f"Limit {number:03}")
    page = open_page("/users/jo")
    expect(page.get_by_role("article")).to_have_count(101)
    expect(page.get_by_role("heading", level=3).last).to_have_text("Limit 100")


def test_nobody_asks_while_nobody_looks(open_page: OpenPage) -> None:
    page = open_page("/users/anna")
    expect(card(page, "Monthly budget")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(LOOK, "away")
    page.clock.run_for(60_000)
    assert asked == []
    expect(page.locator("#freshness")).to_have_text("Checked 1 min ago")
    expect(page.locator("#freshness")).to_have_attribute("data-state", "stale")
    page.evaluate(LOOK, "here")
    expect(page.locator("#freshness")).to_have_text("Checked just now")
    assert len(asked) == 1


def test_a_page_that_is_opened_behind_others_asks_once(open_page: OpenPage) -> None:
    page = open_page("/")
    page.evaluate(LOOK, "away")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/api/" in request.url else None)
    field(page).fill("anna")
    field(page).press("Enter")
    expect(card(page, "Monthly budget")).to_be_visible()
    page.clock.run_for(60_000)
    assert len(asked) == 1


def test_the_countdown_counts(open_page: OpenPage) -> None:
    page = open_page("/users/chiara")
    countdown = card(page, "Daily bets").locator(".countdown")
    expect(countdown).to_have_text("in 3 h 50 min")
    page.clock.fast_forward(HALF_A_MINUTE_BEFORE_MIDNIGHT)
    expect(countdown).to_have_text("in 30 s")
    page.clock.run_for(1_000)
    expect(countdown).to_have_text("in 29 s")
    page.clock.run_for(30_000)
    expect(countdown).to_have_text("Due")


def test_what_users_have_named_is_text_and_nothing_else(open_page: OpenPage, site: Website) -> None:
    name = '<img src=x onerror=alert(1)> & "quotes"'
    site.create("<b>kim ü#?%", 'a "limit" <i>', "5", name=name)
    page = open_page("/")
    field(page).fill("<b>kim ü#?%")
    page.keyboard.press("Enter")
    expect(card(page, name)).to_be_visible()
    expect(bar(page, name)).to_be_visible()


def test_a_name_that_no_user_can_have_is_refused(open_page: OpenPage) -> None:
    page = open_page("/")
    for name in ["a/b", "..", "   "]:
        field(page).fill(name)
        page.keyboard.press("Enter")
        assert field(page).evaluate("input => input.validationMessage") != ""
        expect(page).to_have_url("/")


def test_all_can_be_reached_by_the_keyboard(open_page: OpenPage) -> None:
    page = open_page("/users/ben")
    expect(card(page, "Weekly losses")).to_be_visible()
    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        name = (
            "element => element.ariaLabel || element.labels?.[0]?.textContent || element.textContent.trim()"
        )
        reached.append(page.locator(":focus").evaluate(name))
    assert reached == [
        "Skip to the limits",
        "Limits, start page",
        "User",
        "Show",
        "Weekly losses",
        "History",
        "History",
        "History",
    ]


def test_nothing_moves_for_a_reader_who_wants_no_motion(open_page: OpenPage) -> None:
    page = open_page("/users/ben", reduced_motion="reduce")
    expect(card(page, "Weekly losses")).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0
    assert page.locator(".fill").first.evaluate("fill => getComputedStyle(fill).transitionProperty") == "none"


def test_a_phone_has_nothing_to_scroll_sideways(open_page: OpenPage, site: Website) -> None:
    site.create("l" * 80, "long", "123456789012345678", name="Verylongname" * 10, currencyCode="SEK")
    page = open_page("/users/" + "l" * 80, viewport={"width": 320, "height": 640})
    expect(page.get_by_role("article")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_amounts_and_dates_are_those_of_the_readers_region(open_page: OpenPage) -> None:
    shown = card(open_page("/users/anna", locale="de-DE", timezone_id="Europe/Berlin"), "Monthly budget")
    expect(shown).to_contain_text("179,90 € of 1.500,00 €")
    expect(shown).to_contain_text("Tue, 1 Dec, 01:00")
