"""How long many limits keep a reader waiting: `PYTHONPATH=apps/user_limits/tests:tests python -m page.speed`.

Decision 33 has the figures. They depend on the machine, and on what else it does, so no test holds them. A
test holds that only a screen of limits is made before the page is painted.
"""

import argparse
import sys
from itertools import product
from statistics import median
from typing import Any

from playwright.sync_api import Browser, expect

from kinesis_handler import configure_logging
from page.browser import NoBrowserError, chromium
from page.website import Website, website

LIMITS, ROUNDS = 250, 9
TYPES = ("DEPOSIT", "LOSS", "BET", "SESSION", "BALANCE")
PERIODS = ("CALENDAR_DAY", "CALENDAR_WEEK", "CALENDAR_MONTH", "DAY", "WEEK")

WATCH = """() => {
    const painted = (then) => requestAnimationFrame(() => setTimeout(() => then(performance.now())));
    const text = Response.prototype.text;
    Response.prototype.text = async function () {
        const body = await text.call(this);
        window.arrivedAt = performance.now();
        return body;
    };
    new MutationObserver((_, observer) => {
        observer.disconnect();
        painted((at) => (window.firstPaint = at - arrivedAt));
    }).observe(document.querySelector("#groups"), { childList: true });
    window.choose = (value) => new Promise((resolve) => {
        const begun = performance.now();
        document.querySelector(`#filters input[value="${value}"]`).click();
        painted((at) => resolve(at - begun));
    });
}"""


def main() -> None:
    """Print the median of some rounds, and the best one, in milliseconds."""
    argparse.ArgumentParser(prog="python -m page.speed", description=main.__doc__).parse_args()
    configure_logging("speed", "error")
    try:
        with chromium() as browser, website() as site:
            for number, (_, kind, period) in enumerate(product(range(LIMITS // 25), TYPES, PERIODS)):
                fields: dict[str, Any] = {"type": kind, "period": period, "brandId": f"Brand {number // 25}"}
                site.create(
                    "max", f"{number:03}", "100", progress=str(number % 99), currencyCode="EUR", **fields
                )
            rounds = [_round(browser, site) for _ in range(ROUNDS)]
    except NoBrowserError as error:
        sys.exit(str(error))
    for name in rounds[0]:
        times = [each[name] for each in rounds]
        print(f"{name:<28} median {median(times):4.0f} ms, best {min(times):4.0f} ms")  # noqa: T201


def _round(browser: Browser, site: Website) -> dict[str, float]:
    context = browser.new_context(base_url=site.url, locale="en-GB", viewport={"width": 390, "height": 844})
    try:
        page = context.new_page()
        page.goto("/")
        page.evaluate(WATCH)
        page.locator("#user").fill("max")
        page.keyboard.press("Enter")
        expect(page.locator("article")).to_have_count(LIMITS)
        return {
            "from data to first paint": page.evaluate("firstPaint"),
            "filter: one type of five": page.evaluate("choose('BET')"),
            "filter: all again": page.evaluate("choose('')"),
        }
    finally:
        context.close()


if __name__ == "__main__":
    main()
