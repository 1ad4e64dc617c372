"""What a contributor finds: one version, hooks and workflows that call what is pinned, and templates."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest
import yaml

from kinesis_handler.version import __version__

ROOT = Path(__file__).parent.parent
FORGE = ROOT / ".github"
PARTS = {"kinesis-handler": ".", "user-limits": "apps/user_limits"}


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


# The version and the addresses.


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.other_programs
def test_both_wheels_have_the_version_of_the_library(name: str, tmp_path: Path) -> None:
    for part in ("src", "apps/user_limits/src"):
        shutil.copytree(
            ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("*.egg-info", "__pycache__")
        )
    for file in ("pyproject.toml", "apps/user_limits/pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, tmp_path / file)
    metadata = tmp_path / "metadata"
    metadata.mkdir()
    build = f"from setuptools.build_meta import *; prepare_metadata_for_build_wheel({str(metadata)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path / PARTS[name], check=True, capture_output=True)
    [found] = metadata.glob("*.dist-info")
    distribution = Distribution.at(found)
    assert (distribution.metadata["Name"], distribution.version) == (name, __version__)


@pytest.mark.parametrize("folder", PARTS.values())
def test_no_project_file_has_a_version_of_its_own(folder: str) -> None:
    project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"] == {
        "version": {"attr": "kinesis_handler.version.__version__"}
    }


def test_the_changelog_has_the_version_with_its_date_below_what_is_unreleased() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert re.fullmatch(rf"\[{re.escape(__version__)}\] - \d{{4}}-\d\d-\d\d", headings[1])


def test_authors_and_addresses_stand_in_one_file() -> None:
    library, application = (
        tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"] for folder in PARTS.values()
    )
    assert {"authors", "urls"} <= library.keys()
    assert not {"authors", "maintainers", "urls"} & application.keys()
    assert "`[project.urls]`" in (ROOT / "SECURITY.md").read_text()
    elsewhere = ("README.md", "CONTRIBUTING.md", "SECURITY.md", *map(str, FORGE.rglob("*.*")))
    named = {
        url
        for file in elsewhere
        for url in re.findall(r"mailto:|[\w.]+@[\w-]+\.\w+", (ROOT / file).read_text())
    }
    assert not named


# Hooks and workflows.


def test_hooks_call_pinned_tools_of_the_environment_and_download_nothing() -> None:
    pinned = (ROOT / "requirements" / "check.txt").read_text()
    [repository] = read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        program = Path(hook["entry"].partition(" ")[0])
        assert (hook["language"], program.parent) == ("system", Path(".venv/bin"))
        assert f"\n{program.name}==" in pinned


def test_hooks_are_the_linters_of_make_check() -> None:
    make = shutil.which("make") or "make"
    recipe = subprocess.run(
        [make, "--dry-run", "--always-make", "check"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for hook in read(ROOT / ".pre-commit-config.yaml")["repos"][0]["hooks"]:
        command = hook["entry"].removesuffix(" --force-exclude")
        assert f"\n{command}" in recipe


def test_a_workflow_runs_what_anyone_can_run_and_takes_actions_by_their_commit() -> None:
    commands = (ROOT / "Makefile").read_text()
    for path in (FORGE / "workflows").glob("*.yml"):
        for job in read(path)["jobs"].values():
            steps = job["steps"]
            assert all(
                re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", each["uses"]) for each in steps if "uses" in each
            )
            for run in [each["run"] for each in steps if "run" in each]:
                program, *names = run.split()
                assert program == ".ci/run"
                assert all(f"\n{name}: " in commands for name in names)


@pytest.mark.parametrize(
    "path", sorted((FORGE / "ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=lambda path: path.stem
)
def test_an_issue_form_is_complete(path: Path) -> None:
    form = read(path)
    assert form["name"]
    assert form["description"]
    ids = [each["id"] for each in form["body"] if each["type"] != "markdown"]
    assert len(ids) == len(set(ids)) > 0
    assert any(each.get("validations", {}).get("required") for each in form["body"])


def test_the_pull_request_template_names_commands_that_exist() -> None:
    commands = (ROOT / "Makefile").read_text()
    named = re.findall(r"`make (\w+)`", (FORGE / "pull_request_template.md").read_text())
    assert named
    assert all(f"\n{name}: " in commands for name in named)


# What the workflows call, with stubs of the programs that it calls.


def stub(program: Path, script: str) -> None:
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a folder with the scripts, and beside it one with the few programs that they take."""
    for part in (".ci", "requirements"):
        shutil.copytree(ROOT / part, tmp_path / "clone" / part)
    for folder in ("src", "apps"):
        (tmp_path / "clone" / folder).mkdir()
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        (tmp_path / "clone" / file).touch()
    (tmp_path / "bin").mkdir()
    for name in ("bash", "cat", "chmod", "cp", "dirname", "env", "mkdir", "rm", "sh", "touch"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or name)
    return tmp_path / "clone"


def script(clone: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": str(clone.parent / "bin"),
        "HOME": str(clone.parent / "home"),
        "LEFT_BEHIND": "yes",
    }
    command = ["bash", f".ci/{name}", *arguments]
    bash = str(clone.parent / "bin" / "bash")
    return subprocess.run(
        command,
        executable=bash,
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("arguments", "called"),
    [([], "check lint test\n"), (["check"], "check\n"), (["check", "matrix"], "check\nmatrix\n")],
)
def test_ci_run_makes_what_it_is_given_or_all_in_an_empty_environment(
    clone: Path, arguments: list[str], called: str
) -> None:
    stub(clone.parent / "bin" / "make", 'echo "$@"; test -z "$LEFT_BEHIND"')
    done = script(clone, "run", *arguments)
    assert (done.returncode, done.stdout) == (0, called)


def test_ci_run_ends_where_something_fails(clone: Path) -> None:
    stub(clone.parent / "bin" / "make", 'echo "$@"; exit 2')
    done = script(clone, "run", "check", "matrix")
    assert (done.returncode, done.stdout) == (2, "check\n")


def test_a_matrix_without_any_python_says_so_and_fails(clone: Path) -> None:
    done = script(clone, "matrix", "python")
    assert done.returncode == 1
    assert done.stdout == "".join(f"Python 3.{minor}: not found\n" for minor in range(11, 15))


PYTHON = """
case "$1 $2" in
  "-c "*) exit {version} ;;
  "-m venv") mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;
  "-m pip") if test "$3" = wheel; then mkdir -p .cache/matrix/wheels; touch .cache/matrix/wheels/a.whl; fi ;;
  "-m pytest") echo "tests $3"; exit {tests} ;;
esac
"""


@pytest.mark.parametrize(("tests", "result"), [(0, "passed"), (1, "failed")])
def test_a_matrix_tests_each_python_that_is_found_and_fails_where_one_does(
    clone: Path, tests: int, result: str
) -> None:
    home, programs = clone.parent / "home", clone.parent / "bin"
    stub(programs / "builder", PYTHON.format(version=0, tests=9))
    stub(programs / "python3.11", PYTHON.format(version=1, tests=9))  # a shim of a version that is not there
    stub(programs / "python3.12", PYTHON.format(version=0, tests=0))
    stub(home / ".pyenv" / "versions" / "3.13.0" / "bin" / "python", PYTHON.format(version=0, tests=tests))
    done = script(clone, "matrix", "builder", "--an-option")
    assert done.stdout.splitlines()[-4:] == [
        "Python 3.11: not found",
        "Python 3.12: passed",
        f"Python 3.13: {result}",
        "Python 3.14: not found",
    ]
    assert done.stdout.count("tests --an-option\n") == 2
    assert done.returncode == tests


# Which tests `make check` runs.

EXAMPLE = """
import socket, subprocess, sys
import pytest

@pytest.fixture
def dynamodb_endpoint(): raise AssertionError("it was asked for")

def test_by_itself(): subprocess.run(["sh", "-c", ":"], check=True)
def test_with_an_emulator(dynamodb_endpoint): pass
@pytest.mark.other_programs
def test_marked(): raise AssertionError("it was run")
def test_starts_a_program(): subprocess.run(["env"], check=True)
def test_starts_our_own(): subprocess.run([sys.executable, "-c", ""], check=True)
def test_asks_another_machine(): socket.create_connection(("192.0.2.1", 80), timeout=0.01)
"""


@pytest.mark.other_programs
def test_a_check_leaves_out_what_needs_more_and_fails_a_test_that_needs_it_all_the_same(
    tmp_path: Path,
) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = other_programs\n")
    (tmp_path / "test_example.py").write_text(EXAMPLE)
    (tmp_path / "test_page.py").write_text("import playwright\nraise AssertionError('it was imported')\n")
    (tmp_path / "page.md").write_text("no test")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "testkit.check", "-p", "no:cacheprovider", "-rfE"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_ADDOPTS": "",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "3 failed, 1 passed, 2 deselected" in done.stdout, done.stdout + done.stderr
    assert "it starts env: mark the test as other_programs" in done.stdout
    assert "it connects to 192.0.2.1, another machine" in done.stdout
