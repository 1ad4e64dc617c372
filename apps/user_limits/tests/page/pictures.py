"""The pictures in the README, of the page and of a terminal: `make pictures`.

The same events, the same standing clock, the same size: they change only with the page, and with the browser
and the fonts of the machine. Inter is taken if it is there (Debian's fonts-inter).
"""

import argparse
import sys
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, ViewportSize, expect

from kinesis_handler import configure_logging
from page.browser import NoBrowserError, chromium
from page.operator_picture import operator_picture
from page.still import still_page
from page.terminal import terminal_picture
from page.website import Website, website

FOLDER = Path(__file__).parents[4] / "docs" / "pictures"
LARGEST = 120_000
"""Bytes of a picture. A repository keeps every version of it for ever."""

# name: the user, the limit whose card is open, the size of the window, and pixels for each of its points
SCENES: dict[str, tuple[str, str, ViewportSize, float]] = {
    "page": ("ben", "", {"width": 1180, "height": 606}, 1.25),
    "phone": ("chiara", "Daily bets", {"width": 390, "height": 1010}, 1.5),
}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def main() -> None:
    """Make all pictures, and print their names and sizes."""
    argparse.ArgumentParser(prog="python -m page.pictures", description=main.__doc__).parse_args()
    configure_logging("pictures", "error")
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "run.svg").write_text(terminal_picture("run"))
    try:
        with chromium() as browser, website() as site:
            site.play()
            for scene in SCENES:
                for scheme in SCHEMES:
                    _write(FOLDER / f"{scene}-{scheme}.png", _picture(browser, site, scene, scheme))
            for scheme in SCHEMES:
                _write(FOLDER / f"operator-{scheme}.png", operator_picture(browser, scheme))
    except NoBrowserError as error:
        sys.exit(str(error))


def _write(path: Path, picture: bytes) -> None:
    if len(picture) > LARGEST:
        sys.exit(f"{path.name} has {len(picture)} bytes, more than {LARGEST}: make it smaller.")
    path.write_bytes(picture)
    print(f"{path.relative_to(FOLDER.parents[1])}  {len(picture) // 1000} kB")  # noqa: T201


def _picture(browser: Browser, site: Website, scene: str, scheme: Literal["light", "dark"]) -> bytes:
    user, opened, size, scale = SCENES[scene]
    with still_page(browser, size, scale, scheme) as page:
        page.goto(f"{site.url}/users/{user}")
        expect(page.get_by_role("article").first).to_be_visible()
        if opened:
            page.get_by_role("button", name=f"History {opened}").click()
            expect(page.locator(".timeline li").first).to_be_visible()
            page.mouse.move(0, 0)
        return page.screenshot()


if __name__ == "__main__":
    main()
