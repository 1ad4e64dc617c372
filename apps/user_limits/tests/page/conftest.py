from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from page.browser import NoBrowserError, chromium
from page.website import NOW, Website, website

OpenPage = Callable[..., Page]

PATIENCE_MS = 10_000
"""What a condition is waited for at most, on a machine that has much else to do."""

expect.set_options(timeout=PATIENCE_MS)


# Of this folder alone: while Playwright runs, its thread has an event loop, and others could start none.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    try:
        with chromium() as running:
            yield running
    except NoBrowserError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="package")
def site() -> Iterator[Website]:
    """The application, with the limits of the capture; a test that changes some has a user of its own."""
    with website() as running:
        running.play()
        yield running


@pytest.fixture
def open_page(browser: Browser, site: Website) -> Iterator[OpenPage]:
    """Return what opens the page at a path. Its clock stands still until a test moves it.

    In the end nothing may have gone wrong on the page that its reader would not see: no error of a script, no
    refusal by the Content-Security-Policy.
    """
    wrong: list[str] = []
    contexts = []

    def opened(path: str, **options: Any) -> Page:
        settings = {"locale": "en-GB", "timezone_id": "UTC", "viewport": {"width": 1280, "height": 800}}
        context = browser.new_context(**settings | options, base_url=site.url)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.clock.install(time=NOW - timedelta(seconds=1))
        context.clock.pause_at(NOW)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [each for each in wrong if not each.startswith("Failed to load resource: ")] == []


@pytest.fixture(scope="package")
def modules(browser: Browser, site: Website) -> Iterator[Page]:
    """A page on which the modules can be called."""
    page = browser.new_page(base_url=site.url, locale="en-GB", timezone_id="Europe/Stockholm")
    page.goto("/")
    yield page
    page.close()
