"""Makes a new project from the files of `skeleton`, which the tests run as they are."""

import keyword
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from kinesis_handler.errors import ConfigurationError
from kinesis_handler.project.envelope import EnvelopeName, with_envelope
from kinesis_handler.project.runtime import DEFAULT_RUNTIME, own_runtime
from kinesis_handler.version import __version__

SKELETON = Path(__file__).parent / "skeleton"
PACKAGE, PROJECT = "my_accounts", "my-accounts"
"""Name of the skeleton's package, and of the project around it."""

NAME = "[a-z][a-z0-9]*([_-][a-z0-9]+)*"
NAME_FORM = "lower-case letters and digits in words, joined by _ or -, such as parcels or my-parcels"
MAX_NAME = 40
"""Longest name, in characters: AWS makes the names of roles and functions of it, which have 64."""

_MAY_BE_THERE = {".git", ".venv"}
"""What an empty folder may have in it: what is made before there is a project."""

_FILES_OF = {f"{PACKAGE}/function.py": "lambda", "template.yaml": "lambda"}
"""Files of the skeleton that only some projects have, and the part that they belong to."""

_BLOCK = re.compile(
    r"^[ ]*(?:#|<!--) if (?P<part>\w+)(?: -->)?\n(?P<lines>.*?)^[ ]*(?:#|<!--) end (?P=part)(?: -->)?\n",
    re.MULTILINE | re.DOTALL,
)
"""Lines of the skeleton that only some projects have, between two comments."""

_LINE = re.compile(r"^(?P<line>.*\S) +# if (?P<part>\w+)\n", re.MULTILINE)
"""A line of the skeleton that only some projects have, with a comment at its end."""

_TAKEN = {"build", "tests", "kinesis_handler", "botocore", "msgspec", "pybase64", "pytest", "structlog"}
"""Names that the project itself imports, or has a folder of."""


ProjectStore = Literal["dynamodb", "sqlite"]


class Choices(NamedTuple):
    """What a new project has, or has not.

    Args:
        store: where its state is by default. What is in a file does not run on Lambda.
        api: whether it has an API of JSON on Lambda.
        envelope: what its events are in.
    """

    store: ProjectStore = "dynamodb"
    api: bool = False
    envelope: EnvelopeName = "native"

    @property
    def parts(self) -> set[str]:
        """The parts of the skeleton that it takes."""
        if self.store == "sqlite":
            return {"file"}
        return {"lambda", "api"} if self.api else {"lambda"}


def make_project(name: str, folder: Path, choices: Choices | None = None) -> list[Path]:
    """Write the files of a new project into a folder, and return them.

    Args:
        name: of the project; its package has underscores in place of hyphens.
        folder: which does not exist or is empty, but for `.git` and `.venv`.
        choices: what it has; None for the defaults.

    Raises ConfigurationError if the name cannot be that of a package, or the folder has something in it.
    """
    files = rendered(dict(_skeleton()), name, choices or Choices())
    try:
        if folder.exists() and {each.name for each in folder.iterdir()} - _MAY_BE_THERE:
            raise ConfigurationError(
                f"{folder} is not empty, and nothing in it was changed: name another folder by --into"
            )
        for path, content in files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be written to: {error}") from error
    return [folder / path for path in files]


def rendered(files: Mapping[str, str], name: str, choices: Choices) -> dict[str, str]:
    """Return files of the skeleton, path → content, under another name, with what was chosen of them.

    They ask for this version of the library, and for the runtime of the Python that runs this, if Lambda
    has it.

    Raises ConfigurationError if the name cannot be that of a package.
    """
    package = package_name(name)
    replaced = {
        PACKAGE: package,
        PROJECT: package.replace("_", "-"),
        '"kinesis-handler[aws]"': f'"kinesis-handler[aws]=={__version__}"',
        f"python{DEFAULT_RUNTIME}": f"python{own_runtime()}",
        f"--runtime {DEFAULT_RUNTIME}": f"--runtime {own_runtime()}",
    }
    if choices.store == "sqlite":
        replaced['or "inmemory:"'] = f'or "sqlite:///{package}.db"'
    found = re.compile("|".join(map(re.escape, replaced)))

    def render(text: str) -> str:
        return found.sub(lambda match: replaced[match[0]], text)

    application, events = f"{PACKAGE}/application.py", "events.jsonl"
    written = dict(
        zip(
            (application, events),
            with_envelope(files[application], files[events], choices.envelope),
            strict=True,
        )
    )
    return {
        render(path): render(_chosen(content, choices.parts))
        for path, content in {**files, **written}.items()
        if _FILES_OF.get(path) in {None, *choices.parts}
    }


def _chosen(content: str, parts: Collection[str]) -> str:
    """Return a file without the blocks of parts that were not chosen, and without the marks of the others."""
    content = _BLOCK.sub(lambda block: block["lines"] if block["part"] in parts else "", content)
    return _LINE.sub(lambda match: f"{match['line']}\n" if match["part"] in parts else "", content)


def package_name(name: str) -> str:
    """Return the name of the package of a project.

    Raises ConfigurationError if it cannot be one, or is that of another module that the project imports.
    """
    package = name.replace("-", "_")
    if not re.fullmatch(NAME, name) or len(name) > MAX_NAME:
        raise ConfigurationError(f"the name is {name!r}; allowed: {NAME_FORM}; at most {MAX_NAME} characters")
    if keyword.iskeyword(package) or package in {*sys.stdlib_module_names, *_TAKEN}:
        raise ConfigurationError(f"the name is {name!r}, which Python or the project needs: take another one")
    return package


def _skeleton() -> Iterator[tuple[str, str]]:
    """Yield the path and the content of each file, without what an interpreter or a linter has left there."""
    for path in sorted(SKELETON.rglob("*")):
        inside = path.relative_to(SKELETON)
        if path.is_file() and not any("cache" in part for part in inside.parts):
            yield inside.as_posix(), path.read_text(encoding="utf-8")
