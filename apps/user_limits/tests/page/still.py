"""A page that stands still, to be drawn: its clock, its language and its movements."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from playwright.sync_api import Browser, Page, ViewportSize

from page.website import NOW


@contextmanager
def still_page(
    browser: Browser, size: ViewportSize, scale: float, scheme: Literal["light", "dark"]
) -> Iterator[Page]:
    """Open a page of this size at a standing clock.

    Args:
        browser: where.
        size: of the page, in CSS pixels.
        scale: pixels of the picture for each of them.
        scheme: light or dark.
    """
    context = browser.new_context(
        viewport=size,
        device_scale_factor=scale,
        color_scheme=scheme,
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
    )
    try:
        context.clock.set_fixed_time(NOW)
        yield context.new_page()
    finally:
        context.close()
