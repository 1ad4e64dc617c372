"""The documentation as a site: built without a broken link, and with nothing from elsewhere."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROGRAM = Path(sys.executable).with_name("zensical")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    return folder


def build(project: Path) -> subprocess.CompletedProcess[str]:
    command = str(PROGRAM), "build", "--clean", "--strict"
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.other_programs
def test_the_site_is_built_without_a_broken_link_and_loads_nothing_from_elsewhere(project: Path) -> None:
    done = build(project)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list((project / "site").rglob("*.html"))
    assert len(pages) > len(list((ROOT / "docs").glob("*.md")))
    loads = r"<(?:script|link|img|iframe)[^>]*?(?:src|href)=\"?(?:https?:)?//[^\s>]+"
    for page in pages:
        assert not re.findall(loads, page.read_text()), page


@pytest.mark.other_programs
def test_a_broken_link_or_anchor_stops_the_build(project: Path) -> None:
    page = project / "docs" / "how-it-works.md"
    whole = page.read_text()
    try:
        for link in ("nowhere.md", "guarantees.md#g99"):
            page.write_text(f"{whole}\n[a link]({link})\n")
            assert build(project).returncode != 0, link
    finally:
        page.write_text(whole)


def test_every_page_but_the_single_decisions_is_in_the_menu() -> None:
    menu = (ROOT / "zensical.toml").read_text()
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    missing = {page for page in pages if f'"{page}"' not in menu and not page.startswith("decisions/0")}
    assert not missing
