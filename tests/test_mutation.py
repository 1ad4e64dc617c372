"""What the docs say of mutation testing is what its runs have come to, and is about the code as it is."""

import ast
import tomllib
from importlib.util import find_spec
from pathlib import Path

from mutation import figures

ROOT = Path(__file__).parent.parent
TOOL = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]


def source_of(name: str) -> str:
    """Return the source of the module that a function is in."""
    while True:
        try:
            spec = find_spec(name)
        except ModuleNotFoundError:
            spec = None
        if spec is not None and spec.origin is not None:
            return Path(spec.origin).read_text()
        name, dot, _ = name.rpartition(".")
        assert dot


def test_the_page_shows_the_figures_of_the_runs() -> None:
    assert figures.PAGE.read_text() == figures.page(), "`make mutation REPORT=1` writes it"


def has_functions(path: Path) -> bool:
    """Return whether a file has a function without a decorator, which can be changed."""
    if path.suffix != ".py":
        return False
    functions = (each for each in ast.walk(ast.parse(path.read_text())) if isinstance(each, ast.FunctionDef))
    return any(not each.decorator_list for each in functions)


def test_the_page_has_figures_only_of_modules_that_are_changed() -> None:
    packages = {"src/kinesis_handler/": "src", "src/user_limits/": "apps/user_limits/src"}
    changed = set()
    for named in TOOL["mutmut"]["only_mutate"]:
        [source] = [ROOT / folder for package, folder in packages.items() if named.startswith(package)]
        files = [each for each in source.glob(named.removeprefix("src/")) if has_functions(each)]
        changed |= {".".join(each.relative_to(source).with_suffix("").parts) for each in files}
    assert changed >= {*figures.read_results()}


def test_each_change_that_makes_no_difference_is_one_of_a_line_that_is_there() -> None:
    for each in figures.equivalents():
        source = source_of(each.function)
        lines = {line.strip() for line in source.splitlines()}
        assert lines >= set(each.was.splitlines()), each.function
        assert f"def {each.function.rpartition('.')[2]}(" in source
        assert each.was not in each.becomes
        assert each.why.endswith(".")


def test_the_files_that_are_named_exist() -> None:
    named = {*TOOL["mutmut"]["pytest_add_cli_args_test_selection"]}
    named |= {file for files in TOOL["mutation"]["own-tests"].values() for file in files}
    assert not [each for each in named if not (ROOT / each).exists()]
    assert not [each for each in TOOL["mutation"]["own-tests"] if find_spec(each) is None]
    assert named == {*TOOL["mutmut"]["pytest_add_cli_args_test_selection"]}
