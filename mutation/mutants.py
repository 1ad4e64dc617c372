"""What mutmut makes of the code, and what became of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatch

from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.utils.file_utils import walk_mutatable_files
from mutmut.utils.format_utils import mangled_name_from_mutant_name, orig_function_and_class_names_from_key


class Verdict(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    ENDLESS = "endless"
    """It ran for so long that it was stopped: noticed, too."""
    SURVIVED = "survived"
    NOT_CALLED = "not called"
    """No test calls its function."""


@dataclass
class Mutant:
    """One small change of a function.

    Args:
        name: mutmut's.
        path: of its file, from where both packages lie.
        verdict: what became of it; None before that.
    """

    name: str
    path: str
    verdict: Verdict | None = None

    @property
    def traced(self) -> str:
        """The name under which mutmut notes that its function was called."""
        name: str = mangled_name_from_mutant_name(self.name)
        return name

    @property
    def module(self) -> str:
        """The module that it changes."""
        return self.path.removeprefix("src/").removesuffix(".py").replace("/", ".")

    @property
    def function(self) -> str:
        """The function that it changes, with its module and class."""
        function, cls = orig_function_and_class_names_from_key(self.name)
        return ".".join(filter(None, (self.module, cls, function)))

    def change(self) -> tuple[str, str]:
        """Return the lines that differ: as they are, and as they would be."""
        lines = get_diff_for_mutant(self.name, path=self.path).splitlines()[2:]
        was, becomes = (
            "\n".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+"
        )
        return was, becomes


def mutants_of(modules: list[str]) -> list[Mutant]:
    """Return the mutants of some modules, such as `fold` or `ingest`; of all if none is named."""
    found = list(_all())
    if not modules:
        return found
    return [each for module in modules for each in found if fnmatch(f".{each.module}.", f"*.{module}.*")]


def _all() -> Iterator[Mutant]:
    for path in sorted(walk_mutatable_files()):
        data = SourceFileMutationData(path=path)
        data.load()
        yield from (Mutant(name, str(path)) for name in data.exit_code_by_key)
