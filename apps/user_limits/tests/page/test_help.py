"""The line of help for a player who has reached a limit, as the settings have it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from kinesis_handler import ConfigurationError
from page.test_page import card
from page.website import Website, website
from user_limits.api.app import Options
from user_limits.api.page import PageOptions
from user_limits.settings import read_settings

TEXT = 'Need a break? Call "us" <b>now</b>'


def options(**told: str) -> Options:
    return Options(page=PageOptions(**told))


@pytest.fixture(scope="module")
def helpful() -> Iterator[Website]:
    with website(options(help_text=TEXT, help_url="https://help.example/?a=1&b=2")) as running:
        running.create("ann", "loss", "100", type="LOSS", period="DAY", progress="90")
        yield running


@pytest.fixture
def page(browser: Browser, helpful: Website) -> Iterator[Page]:
    context = browser.new_context(base_url=helpful.url)
    yield context.new_page()
    context.close()


def test_it_is_there_once_a_limit_is_reached_and_not_before(page: Page, helpful: Website) -> None:
    page.goto("/users/ann")
    expect(card(page, "Daily losses")).to_be_visible()
    expect(page.locator("#help")).to_be_hidden()
    helpful.use("ann", "loss", "10")
    expect(page.locator("#help")).to_be_visible()
    link = page.get_by_role("link", name=TEXT)
    expect(link).to_have_attribute("href", "https://help.example/?a=1&b=2")


def test_without_an_address_it_is_a_text(browser: Browser) -> None:
    with website(options(help_text=TEXT)) as running:
        running.create("ann", "loss", "100", progress="100")
        context = browser.new_context(base_url=running.url)
        page = context.new_page()
        page.goto("/users/ann")
        expect(page.locator("#help")).to_have_text(TEXT)
        expect(page.locator("#help a")).to_have_count(0)
        context.close()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"HELP_TEXT": "x", "HELP_URL": "javascript:alert(1)"}, "HELP_URL is 'javascript:alert"),
        ({"HELP_URL": "tel:116006"}, "HELP_URL is set and HELP_TEXT is not"),
        ({"HELP_TEXT": "x" * 301}, "allowed: at most 300 characters"),
    ],
)
def test_a_wrong_setting_stops_the_start(environment: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        read_settings(environment)
