"""What all tests share; and every snippet of README and docs as a test.

Python snippets are run as they stand, console sessions command by command; a block with the name of a file
as its title becomes that file.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from sybil import Document, Example, Region, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

from testkit.emulators.dynamodb_local import dynamodb_local
from testkit.emulators.kinesis_local import kinesis_local

pytest_plugins = ["testkit.fixtures", "testkit.garbage"]

ROOT = Path(__file__).parent
APPLICATION = "KINESIS_HANDLER_APP"
# Running these from within the tests would run the tests within the tests, or take minutes.
ONLY_LOOKED_UP = {
    f"make {name}"
    for name in (
        *(
            "check",
            "matrix",
            "test",
            "coverage",
            "e2e",
            "lint",
            "bench",
            "bench-full",
            "chaos",
            "fuzz",
            "mutation",
            "build",
            "deploy",
        ),
        *("dynamodb", "kinesis", "serve", "docs", "reference", "pictures", "lock", "audit", "wheels"),
    )
}

FROM_NOTHING = {
    "tutorial.md",
    "add-an-event-type.md",
    "change-a-state.md",
    "correct-a-bug.md",
    "deploy-your-own.md",
    "look-at-what-is-stored.md",
}
"""The pages whose sessions are in an empty folder, and not in one that looks like the repository.

They have what `make run` has installed, and not what the tests need besides; so has their folder's `.venv`.
"""
BUILDS = {"make build", "make deploy"}
"""What is only looked up on these pages, too."""

SERVED = "127.0.0.1:8000"
"""Where a reader's `make serve` is; tests run their own, wherever there is room."""


@pytest.fixture(scope="session", autouse=True)
def aws_settings() -> Iterator[None]:
    """Keep the settings of the machine's owner out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [each for each in os.environ if each.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ACCESS_KEY_ID", "tests")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")  # the library has none by itself
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv(APPLICATION, "user_limits.wiring:application")
        yield


@pytest.fixture(scope="session")
def dynamodb_endpoint(aws_settings: None) -> Iterator[str]:  # noqa: ARG001 - it must come first
    """Run DynamoDB Local for as long as the tests take."""
    with dynamodb_local() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def kinesis_endpoint(aws_settings: None) -> Iterator[str]:  # noqa: ARG001 - it must come first
    """Run kinesis-local for as long as the tests take."""
    with kinesis_local() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def served() -> Iterator[Callable[[], str]]:
    """Return what tells the address of a server; it is started when it is first asked for."""
    with ExitStack() as stack:
        yield cache(lambda: stack.enter_context(_server()))


@contextmanager
def _server() -> Iterator[str]:
    """Run what `make serve` runs, but for the further events."""
    program = str(Path(sys.executable).with_name("kinesis-handler"))
    command = [program, "serve", "apps/user_limits/data/events.json", "--port", "0"]
    settings = {**os.environ, "LOG_LEVEL": "error", "STORAGE_TTL": "0", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(  # noqa: S603 - our own
        command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, text=True
    )
    try:
        told = (re.match("http://([^/]+)/", line) for line in process.stdout or ())
        yield next(found[1] for found in told if found)
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture(scope="session")
def programs_of_a_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the programs in an environment that has what `make run` installs, and no more."""
    folder = tmp_path_factory.mktemp("run") / "venv"
    subprocess.run(  # noqa: S603 - our own Python
        [sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True
    )
    [packages] = folder.glob("lib/python*/site-packages")
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / "run.txt").read_text(), re.MULTILINE)
    for name in pinned:
        with suppress(PackageNotFoundError):  # it is for other machines
            installed = distribution(name)
            for top in {Path(file).parts[0] for file in installed.files or ()} - {"..", "__pycache__"}:
                (packages / top).symlink_to(str(installed.locate_file(top)))
    (packages / "ours.pth").write_text(f"{ROOT / 'src'}\n")
    program = folder / "bin" / "kinesis-handler"
    program.write_text(f"#!{folder / 'bin' / 'python'}\nfrom kinesis_handler.cli import main\nmain()\n")
    program.chmod(0o755)
    (program.parent / ".installed").touch()
    return program.parent


def environment(namespace: dict[str, Any], programs: Path) -> dict[str, str]:
    """Return the environment of a reader's shell, on a machine where DynamoDB Local and kinesis-local run.

    Its programs come from the folder first, then from wherever this machine has them.

    `make test`, which runs this, must not show in a session's `make`, nor the tests' options in its pytest.
    """
    hidden = re.compile(f"PYTEST_|MFLAGS|.*MAKE|{APPLICATION}$")
    kept = {name: value for name, value in os.environ.items() if not hidden.match(name)}
    path = f"{programs}:{os.environ['PATH']}"
    endpoints = {
        f"AWS_ENDPOINT_URL_{service.upper()}": namespace[f"{service}_endpoint"]
        for service in ("dynamodb", "kinesis")
    }
    return {**kept, "PATH": path, **endpoints}


def run_console(example: Example) -> str | None:
    """Run each `$ command` of a console session, and compare what it prints; `…` stands for anything."""
    for part in re.split(r"^\$ ", example.parsed, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        command = command.partition("#")[0].strip()
        if command in (BUILDS if _is_from_nothing(example) else ONLY_LOOKED_UP):
            command = command.replace("make", "make --dry-run")
            expected = ""
        # An installation would be that of the page's folder, and gone with it.
        command = re.sub("make (?=run|test)", f"make --assume-old={_installed(example)} ", command)
        if SERVED in command:
            command = command.replace(SERVED, example.namespace["served"]())
        done = subprocess.run(  # noqa: S602 - the commands are those of our own pages
            command,
            shell=True,
            cwd=_folder(example),
            env=environment(example.namespace, _programs(example)),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode != 0:
            return f"`{command}` ended with {done.returncode}:\n{done.stderr}"
        if expected.strip() and not _matches(expected, done.stdout):
            return f"`{command}` printed:\n{done.stdout}"
    return None


class FileBlockParser:
    """Finds the blocks that are files: "python title="parcels.py"" and the like behind the fence."""

    _lexer = RawFencedCodeBlockLexer(re.compile(r'\w+ title="(?P<name>[^"]+)"$\n', re.MULTILINE))

    def __call__(self, document: Document) -> Iterator[Region]:
        """Yield a region for each."""
        for region in self._lexer(document):
            file = region.lexemes["name"], str(region.lexemes["source"])
            yield Region(region.start, region.end, file, _write)


def _write(example: Example) -> None:
    name, content = example.parsed
    (_folder(example) / name).write_text(content)


def _installed(example: Example) -> str:
    """Return the file that says that a page's folder has an environment with all that is needed."""
    return ".venv/bin/.installed" if _is_from_nothing(example) else ".venv/.run"


def _is_from_nothing(example: Example) -> bool:
    return Path(example.path).name in FROM_NOTHING


def _programs(example: Example) -> Path:
    """Return where the programs of a page's sessions are."""
    of_a_run: Path = example.namespace["programs_of_a_run"]
    return of_a_run if _is_from_nothing(example) else Path(sys.executable).parent


def _folder(example: Example) -> Path:
    """Return where the sessions of a page are."""
    if not _is_from_nothing(example):
        folder: Path = example.namespace["folder"]
        return folder
    nothing: Path = example.namespace["nothing"]
    if not (nothing / ".venv").exists():
        (nothing / ".venv").symlink_to(_programs(example).parent)
    return nothing


def _matches(expected: str, printed: str) -> bool:
    pattern = "".join(
        "(?:.*\\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + " *\\n"
        for line in expected.strip("\n").splitlines()
    )
    return re.fullmatch(pattern, printed.rstrip() + "\n") is not None


def _enter_folder(namespace: dict[str, Any]) -> None:
    """Give each page a folder that looks like the repository: what its sessions make meets nobody else's."""
    folder = Path(tempfile.mkdtemp(prefix="page-"))
    for path in ROOT.iterdir():
        if path.name != "rejected" and ".db" not in path.name:  # what the owner of the folder has made there
            (folder / path.name).symlink_to(path)
    namespace["folder"] = folder
    namespace["nothing"] = Path(tempfile.mkdtemp(prefix="page-"))


def _leave_folder(namespace: dict[str, Any]) -> None:
    for name in ("folder", "nothing"):
        shutil.rmtree(namespace[name])


pytest_collect_file = Sybil(
    parsers=[
        PythonCodeBlockParser(),
        CodeBlockParser(language="console", evaluator=run_console),
        FileBlockParser(),
    ],
    patterns=["*.md"],
    fixtures=["dynamodb_endpoint", "kinesis_endpoint", "served", "programs_of_a_run"],
    setup=_enter_folder,
    teardown=_leave_folder,
).pytest()
