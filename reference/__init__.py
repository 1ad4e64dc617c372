"""The reference pages, generated from the code: `make reference` writes them, and a test compares them."""

from collections.abc import Callable
from pathlib import Path

from audit.licences import page as licences_page
from reference.command_line import command_line_page
from reference.errors import errors_page
from reference.python import python_page
from reference.settings import settings_page

FOLDER = Path(__file__).parent.parent / "docs" / "reference"

PAGES: dict[str, Callable[[], str]] = {
    "python.md": python_page,
    "settings.md": settings_page,
    "command-line.md": command_line_page,
    "errors.md": errors_page,
    "licences.md": licences_page,
}
