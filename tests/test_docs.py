"""What the documentation names is there."""

import re
import tomllib
from hashlib import blake2b
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OUTSIDE = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "examples/README.md",
    "src/README.md",
)
PAGES = [*(ROOT / name for name in OUTSIDE), *sorted((ROOT / "docs").rglob("*.md"))]
TESTS = {
    name
    for folder in ("tests", "apps/user_limits/tests", "src/kinesis_handler/testing")
    for path in (ROOT / folder).rglob("*.py")
    for name in re.findall(r"def (test_\w+)", path.read_text())
}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings as a forge makes them; the site's are held by its own test."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = (
        re.sub(r"\[(.*?)\]\(.*?\)", r"\1", each) for each in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    )
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_anchor_inside_the_project_is_one_on_a_forge_too(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
        linked = page.parent / target if target else page
        assert linked.suffix != ".md" or anchor in anchors(linked), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    assert set(re.findall(r"`(test_\w+)`", page.read_text())) <= TESTS


def test_the_page_of_the_package_links_nowhere_into_the_repository_and_has_the_snippet_of_the_readme() -> (
    None
):
    page, readme = (ROOT / "src" / "README.md").read_text(), (ROOT / "README.md").read_text()
    assert set(re.findall(r"\]\((.+?)\)", page)) == set(re.findall(r"\]\((https://.+?)\)", page))
    [snippet] = re.findall(r"```python\n.*?```", page, re.DOTALL)
    assert snippet in readme


def test_pages_have_their_prices_from_one_day() -> None:
    dated = re.compile(r"on-demand\s+prices\s+of\s+us-east-1,\s+(\w+\s+\d{4})")
    dates = {found for page in PAGES for found in dated.findall(page.read_text())}
    prices = tomllib.loads((ROOT / "benchmarks" / "prices.toml").read_text())
    assert dates == {prices["list"].rpartition(", ")[2]}


def test_every_guarantee_is_on_its_page() -> None:
    page = (ROOT / "docs" / "guarantees.md").read_text()
    assert all(f"G{number}" in page for number in range(1, 11))


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    assert all(path.name in index for path in folder.glob("0*.md"))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_link_to_a_decision_has_the_decisions_number(page: Path) -> None:
    linked = re.findall(r"\[(?:[Dd]ecision\s+)?(\d+)\]\((?:[^)]*/)?(\d{4})-[^)]*\)", page.read_text())
    assert not [(said, number) for said, number in linked if int(said) != int(number)]


RELEASED = {"0.2.0": "f926503540237180"}
"""Versions, with a digest of what the changelog says of each."""


def test_what_the_changelog_says_of_a_released_version_is_what_it_said_then() -> None:
    _, *parts = re.split(r"^## \[(.+)\].*\n", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    del sections["Unreleased"]
    digests = {
        version: blake2b(text.encode(), digest_size=8).hexdigest() for version, text in sections.items()
    }
    assert digests == RELEASED, "a change since then goes under Unreleased; a new version goes into RELEASED"
