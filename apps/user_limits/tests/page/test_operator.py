"""The operator's page in a browser: what waits is seen, and redriven or dropped by button when confirmed."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from kinesis_handler.local.minutes import MINUTES, Report
from kinesis_handler.local.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.local.stream.checkpoint_repository import checkpoints_in
from operated import STREAM, Operated, served
from page.conftest import PATIENCE_MS
from page.test_accessibility import AXE, PHONE, WIDE, violations

Open = Callable[..., Page]
LONG = "the amount is not what it was, " * 40
ARABIC, HEBREW, CHINESE = "حساب التوفير", "חשבון חיסכון", "儲蓄帳戶" * 20


@pytest.fixture
def operated(tmp_path: Path) -> Operated:
    return Operated(tmp_path)


@pytest.fixture
def opened(browser: Browser, operated: Operated) -> Iterator[Open]:
    """Return what opens the page. In the end nothing may have gone wrong that its reader would not see."""
    wrong: list[str] = []
    with served(operated.page()) as url:
        contexts = []

        def open_page(**options: Any) -> Page:
            settings = {"locale": "en-GB", "timezone_id": "UTC", "viewport": WIDE, "reduced_motion": "reduce"}
            context = browser.new_context(**settings | options, base_url=url)
            contexts.append(context)
            context.set_default_timeout(PATIENCE_MS)
            page = context.new_page()
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("console", lambda each: wrong.append(each.text) if each.type == "error" else None)
            page.goto("/operator")
            return page

        yield open_page
        for context in contexts:
            context.close()
    assert [each for each in wrong if not each.startswith("Failed to load resource: ")] == []


def some(operated: Operated) -> None:
    """Let two keys be parked, three records be rejected for two reasons, and much be applied."""
    operated.broken |= {"anna", "ben"}
    operated.reasons |= {-1: "below zero", -2: "far below zero"}
    now = time.time()
    operated.move("carl", *range(1, 40), at=now - 120)
    operated.move("anna", 1, 2, at=now)
    operated.move("ben", 3, at=now)
    operated.move("carl", -1, -1, -2, at=now)


def parked(page: Page, account: str) -> Locator:
    return page.locator("#parked li").filter(has=page.locator("h3 bdi", has_text=account))


def answered(page: Page, because: str = "") -> None:
    """Answer the question with yes."""
    dialog = page.get_by_role("dialog")
    if because:
        dialog.get_by_label("Why its events shall never be applied").fill(because)
    dialog.locator("[type=submit]").click()
    expect(dialog).to_be_hidden()


def test_where_nothing_waits_it_says_so(opened: Open) -> None:
    page = opened()
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing waits")
    for sentence in ("No key is parked.", "Nothing is waiting.", "No stream has been read into this store"):
        expect(page.get_by_text(sentence)).to_be_visible()
    expect(page.get_by_text("Checked just now")).to_be_visible()


def test_what_waits_is_seen_with_its_reasons(operated: Operated, opened: Open) -> None:
    some(operated)
    page = opened()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "2 keys are parked, 3 records wait in the quarantine"
    )
    expect(parked(page, "anna")).to_contain_text("BusinessError: the ledger of anna is closed")
    expect(parked(page, "anna")).to_contain_text("2 events wait since")
    expect(page.locator("#waiting li .why")).to_have_text(["below zero", "far below zero"])
    expect(page.get_by_role("img", name="39 applied, 3 rejected, 3 parked")).to_be_visible()


def test_it_is_live(operated: Operated, opened: Open) -> None:
    page = opened()
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing waits")
    operated.broken.add("anna")
    operated.move("anna", 1)
    expect(parked(page, "anna")).to_be_visible()


def test_a_redrive_by_button_redrives(operated: Operated, opened: Open) -> None:
    some(operated)
    operated.broken.clear()
    page = opened()
    parked(page, "anna").get_by_role("button", name="Redrive").click()
    dialog = page.get_by_role("dialog", name="Redrive what waits of bank anna through the handler?")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    answered(page)
    expect(page.locator("#done .rows > li").first).to_contain_text("2 records: 2 applied.")
    expect(parked(page, "anna")).to_have_count(0)
    expect(parked(page, "ben")).to_be_visible()
    assert operated.movements("anna") == (1, 2)
    expect(page.locator("#announcement")).to_have_text("redrive: 2 records: 2 applied.")


def test_all_is_redriven_by_one_button_and_what_is_left_says_why(operated: Operated, opened: Open) -> None:
    some(operated)
    operated.broken.clear()
    page = opened()
    page.get_by_role("button", name="Redrive all").click()
    question = "Redrive all: 2 parked keys and 3 records, through the handler?"
    expect(page.get_by_role("dialog", name=question)).to_be_visible()
    answered(page)
    said = page.locator("#done .rows > li").first
    expect(said).to_contain_text("6 records: 3 rejected again, 3 applied.")
    expect(said).to_contain_text("2 rejected again: below zero.")
    assert operated.movements("ben") == (3,)


def test_the_records_of_a_reason_are_redriven_alone(operated: Operated, opened: Open) -> None:
    some(operated)
    operated.reasons.clear()
    page = opened()
    page.get_by_role("button", name="Redrive RejectedError: below zero", exact=True).click()
    expect(page.get_by_role("dialog", name="Redrive 2 records through the handler?")).to_be_visible()
    answered(page)
    expect(page.locator("#done .rows > li").first).to_contain_text("2 records: 2 applied.")
    expect(page.locator("#waiting li .why")).to_have_text(["far below zero"])


def test_a_drop_by_button_drops_and_asks_why(operated: Operated, opened: Open) -> None:
    some(operated)
    page = opened()
    parked(page, "anna").get_by_role("button", name="Drop").click()
    dialog = page.get_by_role("dialog", name="Give up 2 parked events of bank anna?")
    why = dialog.get_by_label("Why its events shall never be applied")
    expect(why).to_be_focused()
    dialog.get_by_role("button", name="Drop").click()
    expect(dialog).to_be_visible()
    assert why.evaluate("field => field.validationMessage") == "Say why these events shall never be applied."
    answered(page, "a test account")
    expect(page.locator("#done .rows > li").first).to_contain_text("2 events dropped, the key goes on.")
    expect(parked(page, "anna")).to_have_count(0)
    operated.broken.clear()
    operated.move("anna", 9)
    assert operated.movements("anna") == (9,)


def test_what_is_cancelled_is_not_done(operated: Operated, opened: Open) -> None:
    some(operated)
    page = opened()
    button = parked(page, "anna").get_by_role("button", name="Drop")
    button.click()
    page.get_by_role("button", name="Cancel").click()
    expect(button).to_be_focused()
    button.click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(button).to_be_focused()
    assert operated.waiting() == 6


def test_an_answer_that_is_lost_is_asked_for_again_and_drops_once(operated: Operated, opened: Open) -> None:
    some(operated)
    page = opened()
    parked(page, "anna").get_by_role("button", name="Drop").click()
    ids = []

    def lose(route: Any) -> None:
        ids.append(route.request.post_data_json["id"])
        if len(ids) == 1:
            route.fetch()  # it was done
            route.abort()
        else:
            route.continue_()

    page.route("**/api/drop", lose)
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("x")
    dialog.get_by_role("button", name="Drop").click()
    expect(dialog.get_by_role("alert")).to_have_text(
        "It is not known whether it was begun: The server cannot be reached."
    )
    dialog.get_by_role("button", name="Drop").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#done .rows > li")).to_have_count(1)
    assert ids[0] == ids[1]


def test_by_the_keyboard_alone_a_key_is_dropped(operated: Operated, opened: Open) -> None:
    operated.broken.add("anna")
    operated.move("anna", 1)
    page = opened()
    expect(parked(page, "anna")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the figures")).to_be_focused()
    page.keyboard.press("Enter")
    for name in ("Redrive", "Drop"):
        page.keyboard.press("Tab")
        expect(parked(page, "anna").get_by_role("button", name=name)).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type("a test account")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#done .rows > li").first).to_contain_text("1 event dropped")
    expect(page.get_by_role("heading", name="Parked keys")).to_be_focused()


def test_the_events_that_wait_can_be_looked_at(operated: Operated, opened: Open) -> None:
    some(operated)
    page = opened()
    parked(page, "anna").get_by_text("Events that wait").click()
    expect(parked(page, "anna").locator("ol li")).to_have_count(2)
    expect(parked(page, "anna").locator("ol li").first).to_contain_text('{"account":"anna","number":1}')
    page.locator("#waiting li").first.get_by_text("Records", exact=True).click()
    expect(page.locator("#waiting li").first.locator("ol li")).to_have_count(2)
    with page.expect_response("**/api/state"):
        pass  # it stays open while the page goes on
    expect(parked(page, "anna").locator("ol li")).to_have_count(2)


def test_outcomes_are_there_as_a_table_too(operated: Operated, opened: Open) -> None:
    some(operated)
    page = opened()
    page.get_by_text("As a table").click()
    table = page.get_by_role("table")
    expect(table.get_by_role("columnheader")).to_have_text(["minute", "applied", "rejected", "parked", "age"])
    expect(table.get_by_role("row")).to_have_count(MINUTES + 1)
    expect(table).to_contain_text("39")


def test_another_process_is_seen_with_its_outcomes_and_shards(operated: Operated, opened: Open) -> None:
    now = time.time()
    report = Report(int(now // 60) - MINUTES + 1, {"applied": (0,) * 29 + (1_234,)}, (0,) * 29 + (1_500,))
    other = Checkpoints(checkpoints_in(operated.store), f"{STREAM}:1", report=lambda _at: report)
    other.begin(lambda: ["shardId-000000000000", "shardId-000000000001"], Checkpoint(), now)
    arrived = int(now * 1_000) - 90_000
    other.save([("shardId-000000000000", Checkpoint(after="7", arrived_at=arrived, behind_ms=90_000))], now)
    page = opened()
    expect(page.get_by_role("img", name="1,234 applied")).to_be_visible()
    expect(page.locator(".reporters")).to_contain_text("another process (")
    rows = page.locator("#streams tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("1.5 min")
    expect(rows.first).to_contain_text("behind 7")
    expect(page.locator("#streams")).to_contain_text("Read by another process (")


@pytest.mark.parametrize(("scheme", "viewport"), [("light", WIDE), ("dark", PHONE)], ids=["light", "dark"])
def test_axe_finds_no_violation_in_any_state(
    operated: Operated, opened: Open, scheme: str, viewport: dict[str, int]
) -> None:
    page = opened(color_scheme=scheme, viewport=viewport)
    page.evaluate((AXE.fetch() / "axe.min.js").read_text())
    expect(page.get_by_text("No key is parked.")).to_be_visible()
    assert violations(page) == []
    hard(operated)
    Checkpoints(checkpoints_in(operated.store), STREAM).begin(
        lambda: ["shardId-1"], Checkpoint(), time.time()
    )
    expect(parked(page, ARABIC)).to_be_visible()
    for summary in page.locator("summary").all():
        summary.click()
    expect(page.locator("#parked ol li").first).to_be_visible()
    assert violations(page) == []
    parked(page, ARABIC).get_by_role("button", name="Drop").click()
    assert violations(page) == []
    answered(page, "x")
    page.get_by_role("button", name="Redrive all").click()
    answered(page)
    expect(page.locator("#done .rows > li")).to_have_count(2)
    expect(page.locator("#done")).to_contain_text("rejected again")
    assert violations(page) == []
    page.context.set_offline(True)
    expect(page.get_by_text("No new figures since")).to_be_visible()
    assert violations(page) == []


def hard(operated: Operated) -> None:
    """Let keys of hard names be parked, and a record be rejected for a long reason."""
    operated.broken |= {ARABIC, HEBREW, CHINESE, "a" * 400}
    operated.reasons[-1] = LONG
    for account in operated.broken:
        operated.move(account, 1)
    operated.move("carl", -1)


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize("width", [320, 390, 640, 1280])
def test_long_reasons_and_names_of_any_script_fit(operated: Operated, opened: Open, width: int) -> None:
    """640 is what 200 % zoom leaves of 1280, and 320 what 400 % does."""
    hard(operated)
    page = opened(viewport={"width": width, "height": 800})
    expect(parked(page, CHINESE)).to_be_visible()
    assert overflow(page) == 0
    parked(page, "a" * 400).get_by_role("button", name="Drop").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Drop")).to_be_in_viewport() if width > 640 else None
    assert overflow(page) == 0
    dialog.get_by_role("button", name="Drop").scroll_into_view_if_needed()
    box = dialog.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert box["height"] <= 800


def test_250_reasons_and_250_keys_are_shown_at_once_and_nothing_freezes(
    operated: Operated, opened: Open
) -> None:
    accounts = [f"account-{number:03}" for number in range(250)]
    operated.broken |= set(accounts)
    operated.reasons |= {-number: f"reason {number:03}" for number in range(1, 251)}
    for account in accounts:
        operated.move(account, 1)
    operated.move("carl", *operated.reasons)
    page = opened()
    expect(page.locator("#parked li")).to_have_count(250)
    expect(page.locator("#waiting .rows > li")).to_have_count(100)
    expect(
        page.get_by_text("… and 150 more reasons: `kinesis-handler quarantine list` has all")
    ).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "250 keys are parked, 250 records wait in the quarantine"
    )
    assert overflow(page) == 0


def test_250_records_of_one_reason_are_one_row(operated: Operated, opened: Open) -> None:
    operated.reasons[-1] = "below zero"
    operated.move("carl", *[-1] * 250)
    page = opened()
    expect(page.locator("#waiting .rows > li")).to_have_count(1)
    expect(page.locator("#waiting .rows > li")).to_contain_text("250 records, arrived")


def test_while_the_server_is_gone_the_last_figures_stay(operated: Operated, opened: Open) -> None:
    some(operated)
    page = opened()
    expect(parked(page, "anna")).to_be_visible()
    page.context.set_offline(True)
    expect(page.locator("#banner")).to_contain_text(
        "The server cannot be reached. These are the last known ones."
    )
    expect(parked(page, "anna")).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator("#banner")).to_have_text("")


def test_a_store_that_is_down_is_a_problem_of_its_section_alone(operated: Operated, opened: Open) -> None:
    some(operated)
    page = opened()
    problems = {"parked": "injected: the store is down"}

    def broken(route: Any) -> None:
        document = route.fetch().json()
        route.fulfill(json={**document, "parked": [], "parkedCount": 0, "problems": problems})

    page.route("**/api/state", broken)
    expect(page.locator("#parked .problem")).to_have_text("Injected: the store is down.")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not all can be seen")
    expect(page.locator("#waiting .rows > li")).to_have_count(2)
