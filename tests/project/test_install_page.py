"""The page on installing names each extra with what it installs."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def names(requirements: list[str]) -> list[str]:
    return sorted(re.split(r"[^a-z0-9-]", each)[0] for each in requirements)


def test_each_extra_is_on_the_page_with_what_it_installs() -> None:
    page = (ROOT / "docs" / "how-to" / "install.md").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    written = {
        extra.strip("`"): installs.split(", ")
        for extra, installs in re.findall(r"^\| (none|`[\w-]+`) \| .+ \| (.+) \|$", page, re.MULTILINE)
    }
    extras = project["optional-dependencies"]
    assert written == {"none": names(project["dependencies"])} | {
        name: names(each) for name, each in extras.items()
    }


def test_each_python_that_is_tested_is_on_the_page() -> None:
    matrix = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    page = (ROOT / "docs" / "how-to" / "install.md").read_text()
    tested = set(re.findall(r"^ +(3\.\d+)$", matrix, re.MULTILINE))
    assert len(tested) == 4
    assert all(version in page for version in tested)
