"""Debian's Chromium, driven by Playwright; none is downloaded."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--font-render-hinting=none",
    # With it a renderer is kept ready for the next site, and there is none.
    "--disable-site-isolation-trials",
]


class NoBrowserError(Exception):
    """There is no browser. The message says what to install."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the browser, without a window, until the end of the block.

    Raises NoBrowserError if there is none.
    """
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        raise NoBrowserError(
            f"There is none of {', '.join(_NAMES)} on the PATH: install Chromium, "
            "with Debian's apt-get install chromium."
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
