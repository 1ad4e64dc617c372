"""A new project on a machine with a Python, make and an index of packages; the library from its wheel."""

import sys
import zipfile
from pathlib import Path

import pytest

from kinesis_handler.project.new import SKELETON, Choices, make_project
from project.conftest import RESULT, contents, run
from testkit.emulators.npm_package import NpmPackage

pytestmark = pytest.mark.other_programs

PROGRAMS = Path(sys.executable).parent
PYRIGHT = NpmPackage(
    name="pyright",
    version="1.1.414",
    integrity="sha512-FPZZb51jepDX4eP7TEYDeNFtmE3WgwkkEcJpvH3/QmUSsj0EAy3LXu+xB4T/FWDejtsXlCfFr/rbWFjwuwuXww==",
    folder="package",
    emulator="Pyright",
)


def test_the_wheel_has_each_file_of_the_skeleton(wheels: Path) -> None:
    with zipfile.ZipFile(next(wheels.iterdir())) as wheel:
        packed = {name for name in wheel.namelist() if "/skeleton/" in name}
    prefix = "kinesis_handler/project/skeleton/"
    assert {name.removeprefix(prefix) for name in packed} == contents(SKELETON).keys()


def test_both_commands_of_a_new_project_pass_and_so_do_type_checkers(wheels: Path, tmp_path: Path) -> None:
    make_project("parcels", tmp_path, Choices(api=True))
    assert run(tmp_path, "make", "run", variables={"PIP_FIND_LINKS": str(wheels)}).endswith(RESULT)
    assert "3 passed" in run(tmp_path, "make", "test")
    python = str(tmp_path / ".venv" / "bin" / "python")
    mypy = [str(PROGRAMS / "mypy"), "--strict", "--python-executable", python, "parcels", "tests"]
    assert "Success: no issues found in 5 source files" in run(tmp_path, *mypy)
    pyright = ["node", str(PYRIGHT.fetch() / "index.js"), "--pythonpath", python, "parcels", "tests"]
    assert "0 errors, 0 warnings" in run(tmp_path, *pyright)
