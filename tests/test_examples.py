"""The examples, run as an outside user would: from the built wheel, with nothing of this folder in reach."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tokenize
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
SOURCES = ("src", "pyproject.toml", "README.md", "LICENSE", "apps")
CODE_LINES = {("parcels.py", "parcels_lambda.py"): 80, ("lost_parcels.py",): 15}
NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment with the wheel and what it depends on, and beside it a copy of the examples."""
    folder = tmp_path_factory.mktemp("outside")
    source = folder / "source"  # a build leaves traces: they are not to be left here, nor to be taken in
    source.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(folder)!r})"
    for part in (source, source / "apps" / "user_limits"):
        run([sys.executable, "-c", build], cwd=part)
    run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"])
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        folder / "venv" / "bin" / "python",
        "--quiet",
    ]
    run([*pip, "install", "--disable-pip-version-check", "--no-deps", "--no-index", *folder.glob("*.whl")])
    [packages] = (folder / "venv").glob("lib/python*/site-packages")
    # The libraries that are here: of a folder that is named so, the editable install does not count.
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    shutil.rmtree(source)
    shutil.copytree(EXAMPLES, folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def run(command: Sequence[str | Path], cwd: Path | None = None) -> None:
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)


def run_outside(outside: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    hidden = ("PYTHON", "COV_", "COVERAGE", "PYTEST")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    return subprocess.run(
        [outside / "venv" / "bin" / "python", "-P", *arguments],
        cwd=outside / "examples",
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


@pytest.mark.other_programs
def test_the_package_is_the_installed_one(outside: Path) -> None:
    program = "import kinesis_handler, user_limits; print(kinesis_handler.__file__, user_limits.__file__)"
    done = run_outside(outside, "-c", program)
    assert [Path(each).is_relative_to(outside) for each in done.stdout.split()] == [True, True]


def test_the_examples_pass_their_own_tests(
    outside: Path, dynamodb_endpoint: str, kinesis_endpoint: str
) -> None:
    done = run_outside(
        outside,
        *("-m", "pytest", "--quiet", "-p", "no:cacheprovider", "-W", "error"),
        AWS_ENDPOINT_URL_DYNAMODB=dynamodb_endpoint,
        AWS_ENDPOINT_URL_KINESIS=kinesis_endpoint,
        AWS_DEFAULT_REGION="eu-west-1",
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("names", "most"), CODE_LINES.items())
def test_the_examples_are_as_short_as_the_documentation_says(names: tuple[str, ...], most: int) -> None:
    assert sum(len(code_lines(EXAMPLES / name)) for name in names) <= most


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_each_example_can_be_read_at_a_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 100


def code_lines(path: Path) -> set[int]:
    """Return the lines that have code in them: neither blank, nor comments, nor a docstring."""
    with path.open("rb") as file:
        tokens = [token for token in tokenize.tokenize(file.readline) if token.type not in NO_CODE]
    return {
        line
        for token in tokens
        if not token.line.startswith(('"""', '    """'))
        for line in range(token.start[0], token.end[0] + 1)
    }
