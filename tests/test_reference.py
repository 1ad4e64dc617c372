"""The reference says what the code does: no more, no less, and nothing of yesterday."""

import importlib
import re

import pytest

from reference import FOLDER, PAGES
from reference.docstrings import arguments, markdown
from reference.python import MODULES, public_names
from user_limits.settings import Settings

PYTHON = PAGES["python.md"]()

WITH_ALL_INSTALLED = {"licences.md"}
"""It lists what every extra brings: more than `make check` installs."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(each, marks=pytest.mark.other_programs) if each in WITH_ALL_INSTALLED else each
        for each in PAGES
    ],
)
def test_the_page_is_what_make_reference_writes(name: str) -> None:
    assert (FOLDER / name).read_text() == PAGES[name]()


def test_there_is_no_other_page_and_the_index_has_each() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {*PAGES, "README.md"}
    index = (FOLDER / "README.md").read_text()
    assert all(f"({name})" in index for name in PAGES)


@pytest.mark.parametrize("module", MODULES)
def test_the_public_names_are_those_of_all_and_each_is_in_the_reference_with_a_docstring(module: str) -> None:
    names = public_names(module)
    assert names == importlib.import_module(module).__all__
    section = PYTHON.partition(f"## {module}\n")[2].partition("\n## ")[0]
    told = dict(re.findall(r"^### (\w+)\n\n```py\n.*?\n```\n\n(.*?)$", section, re.MULTILINE | re.DOTALL))
    assert list(told) == names
    assert all(told.values())


def test_every_setting_is_called_as_its_variable_is() -> None:
    shown = re.findall(r"^\| `(.+?)` \| .+ \| .* \| .+ \|$", PAGES["settings.md"](), re.MULTILINE)
    assert shown == [field.upper() for field in Settings.__struct_fields__]


def test_every_command_has_help_and_every_option_of_it_a_meaning() -> None:
    page = PAGES["command-line.md"]()
    commands = page.split("\n## ")[1:]
    assert len(commands) >= 9
    assert not re.findall(r"^#+ .*\n\n\*\*", page, re.MULTILINE)
    assert all(": " in line for line in page.splitlines() if line.startswith("* "))


def test_a_docstring_keeps_its_paragraphs_and_its_arguments_become_a_list() -> None:
    docstring = """Do it.

    Args:
        one: the first,
            and more of it.
        two: the second.

    Raises an error.
    """
    assert (
        markdown(docstring)
        == "Do it.\n\n- `one`: the first, and more of it.\n- `two`: the second.\n\nRaises an error."
    )
    assert arguments(docstring) == {"one": "the first, and more of it.", "two": "the second."}
