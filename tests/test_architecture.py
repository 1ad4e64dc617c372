"""The walls of the house: who may import whom, and what the public names are."""

import ast
import re
from collections import defaultdict
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import kinesis_handler
from kinesis_handler import errors

ROOT = Path(__file__).parent.parent
SOURCES = {
    "kinesis_handler": ROOT / "src",
    "user_limits": ROOT / "apps" / "user_limits" / "src",
    "testkit": ROOT,
}
"""The three parts, each with the folder that its package is in."""

MAY_IMPORT = {
    "kinesis_handler": {"kinesis_handler"},
    "user_limits": {"user_limits", "kinesis_handler"},
    "testkit": {"testkit", "user_limits", "kinesis_handler"},
}
"""Arrows point one way: from the test kit to both others, from the application to the library."""

OURS = {
    *SOURCES,
    *("tests", "chaos", "simulation", "fuzz", "mutation", "benchmarks"),
    *("audit", "examples", "reference", "deploy"),
}
MODULES = sorted(path for part, folder in SOURCES.items() for path in (folder / part).rglob("*.py"))

PURE = {
    *(
        f"kinesis_handler.{name}"
        for name in ("outcome", "aggregate", "environment", "errors", "fold", "json_api", "lambda_types")
    ),
    *(f"kinesis_handler.{name}" for name in ("functions", "hosts", "printable", "results", "storable")),
    *(f"kinesis_handler.ingest.{name}" for name in ("record", "kpl", "event", "schema")),
    *(
        f"kinesis_handler.ingest.{name}"
        for name in ("documents", "facts", "fields", "headers", "inflate", "times")
    ),
    *(f"kinesis_handler.ingest.{name}" for name in ("envelope", "payload", "upcast")),
    "kinesis_handler.envelopes",
    *(f"kinesis_handler.stores.{name}" for name in ("url", "cursor")),
    *(f"kinesis_handler.stores.dynamodb.{name}" for name in ("item", "statement", "trailing_zeros")),
    *(f"kinesis_handler.quarantine{name}" for name in ("", ".entry", ".groups", ".on_failure")),
    *(f"kinesis_handler.operator_page.{name}" for name in ("description", "documents", "guard")),
    *(f"kinesis_handler.local.stream.{name}" for name in ("ordering", "shards")),
    *(f"kinesis_handler.moving.{name}" for name in ("phase", "lineage")),
    "kinesis_handler.project.needs",
    "user_limits.activity",
    "user_limits.limit",
    "user_limits.view",
    *(
        f"user_limits.api.{name}"
        for name in ("activity", "conditional_json", "cors", "documents", "etag", "reference", "routes")
    ),
}
INPUT_AND_OUTPUT = {
    "os",
    "sys",
    "socket",
    "pathlib",
    "subprocess",
    "sqlite3",
    "botocore",
    "boto3",
    "structlog",
    "logging",
}
DOORS = {"kinesis_handler.cli", "user_limits.lambda_consumer", "user_limits.lambda_api"}
WRITES = {"save", "delete", "scan"}
"""What the API, a window onto the repository, has no use for."""
STORES = (
    *(f"kinesis_handler.stores.{name}" for name in ("memory", "sqlite", "dynamodb")),
    *(f"kinesis_handler.quarantine.{name}" for name in ("directory", "s3")),
)
OPENING = {"kinesis_handler.stores.opening", "kinesis_handler.quarantine.opening"}


def part_of(path: Path) -> str:
    return next(part for part, folder in SOURCES.items() if path.is_relative_to(folder / part))


def room_of(name: str) -> str:
    """Return the folder in a part, or the module beside the folders, that a module is in."""
    return ".".join(name.split(".")[:2])


def name_of(path: Path) -> str:
    inside = path.relative_to(SOURCES[part_of(path)])
    return ".".join(inside.with_suffix("").parts).removesuffix(".__init__")


@cache
def read(path: Path) -> tuple[set[str], set[str], set[str]]:
    """Return what a module imports, its attributes, and all strings but its docstrings.

    These are cached, and not its tree: the trees of all modules are a third of a million objects.
    """
    imports: set[str] = set()
    attributes: set[str] = set()
    strings: dict[int, str] = {}
    prose: set[int] = set()
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                imports |= {alias.name for alias in node.names}
            case ast.ImportFrom(module=str(module)):
                imports.add(module)
            case ast.Attribute():
                attributes.add(node.attr)
            case ast.Expr(value=ast.Constant() as value):
                prose.add(id(value))
            case ast.Constant(value=str(value)):
                strings[id(node)] = value
    return imports, attributes, {text for each, text in strings.items() if each not in prose}


def imports_of(path: Path) -> set[str]:
    return read(path)[0]


def attributes_of(path: Path) -> set[str]:
    return read(path)[1]


def strings_of(path: Path) -> set[str]:
    """Return all strings of a module but its docstrings: those that the program sees."""
    return read(path)[2]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_arrows_point_one_way(path: Path) -> None:
    imported = {each.partition(".")[0] for each in imports_of(path)} & OURS
    assert imported <= MAY_IMPORT[part_of(path)]


@pytest.mark.parametrize(
    "path", [each for each in MODULES if part_of(each) == "kinesis_handler"], ids=name_of
)
def test_the_library_names_no_application_in_a_string_either(path: Path) -> None:
    named = re.compile(r"user_?limits?|apps/|testkit", re.IGNORECASE)
    assert not [each for each in strings_of(path) if named.search(each)]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_walls_stand(path: Path) -> None:
    name, imports = name_of(path), imports_of(path)
    if not name.startswith(("kinesis_handler.cli", "testkit.load")):  # a command line too
        assert not {each for each in imports if each.startswith(tuple(DOORS))}, "nothing imports a door"
    if not name.startswith(("kinesis_handler.cli", "kinesis_handler.project.", "testkit")):
        assert not {each for each in imports if f"{each}.".startswith("kinesis_handler.project.")}, (
            "what builds a project is no part of it"
        )
    if name not in OPENING and not name.startswith((*STORES, "testkit")):
        assert not {each for each in imports if each.startswith(STORES)}, (
            "only what opens a URL names concrete classes"
        )
    if name in PURE:
        assert not {each.partition(".")[0] for each in imports} & INPUT_AND_OUTPUT, "this room does no I/O"
    if name.startswith("user_limits.api"):
        assert not imports & {"kinesis_handler.handler", "user_limits.wiring", "user_limits.settings"}, (
            "the API is a window onto the repository, and reads nothing from the environment"
        )
        assert not attributes_of(path) & WRITES, "the API reads, and writes nothing"


def test_the_rooms_that_do_no_io_are_there() -> None:
    assert not PURE - {name_of(path) for path in MODULES}


def test_no_module_is_larger_than_a_reader_can_hold() -> None:
    folders = [*SOURCES.values(), *(ROOT / each for each in OURS), ROOT / "apps" / "user_limits" / "deploy"]
    modules = {path for folder in folders for path in folder.rglob("*.py") if folder != ROOT}
    of_tests = {path for path in modules if "tests" in path.relative_to(ROOT).parts}
    large = [path for path in modules - of_tests if len(path.read_text().splitlines()) > 300]
    assert not large, "a module is a room, not a hall"


def test_the_oracle_shares_no_code_with_what_it_judges() -> None:
    modules = sorted((ROOT / "chaos" / "oracle").rglob("*.py"))
    imports = {each for path in modules for each in imports_of(path) if not each.startswith("chaos.oracle")}
    assert imports
    assert not {each for each in imports if each.startswith(("kinesis_handler", "user_limits", "chaos"))}


def test_only_one_module_writes_to_the_terminal() -> None:
    """What producers have written is escaped there, and nowhere else."""
    writes = re.compile(r"(?<![.\w])(print|typer\.s?echo|click\.s?echo|sys\.std(out|err)\.write|Console)\(")
    rooms = ("kinesis_handler.cli", "kinesis_handler.moving", "user_limits", "testkit.load")
    found = {
        name_of(path)
        for path in MODULES
        if name_of(path).startswith(rooms) and writes.search(path.read_text())
    }
    assert found == {"kinesis_handler.cli.console"}


def test_no_module_imports_itself_in_a_circle() -> None:
    names = {name_of(path) for path in MODULES}
    graph = {name_of(path): set(imports_of(path)) & names for path in MODULES}
    graph.pop("kinesis_handler")  # the package's face: it hands names on
    for name in OPENING:  # likewise: what is behind a port is imported when it is opened
        graph[name.removesuffix(".opening")].remove(name)
    done: set[str] = set()

    def walk(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join([*way, name])
        if name not in done:
            for each in graph.get(name, ()):
                walk(each, (*way, name))
            done.add(name)

    for name in graph:
        walk(name, ())


def test_each_folder_stands_above_all_that_it_imports() -> None:
    """A folder is one room: files that import each other across two of them are a circle for a reader."""
    rooms: dict[str, set[str]] = defaultdict(set)
    for path in MODULES:
        name = name_of(path)
        if name != "kinesis_handler":  # the package's face: it hands names on
            rooms[room_of(name)] |= {room_of(each) for each in imports_of(path)} - {room_of(name)}
    TopologicalSorter(rooms).prepare()  # raises CycleError, which names them


def test_the_public_names_are_those_that_the_package_lists() -> None:
    tree = ast.parse((SOURCES["kinesis_handler"] / "kinesis_handler" / "__init__.py").read_text())
    imported = {a.asname or a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names}
    assert imported == set(kinesis_handler.__all__)
    assert kinesis_handler.__all__ == sorted(
        kinesis_handler.__all__, key=lambda n: (n[0].islower(), not n.isupper(), n)
    )


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    drawn: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"((?:[│ ]   )*)(?:[├└]── )?([A-Z]\w+Error)", line):
            depth = line.index(match[2]) // 4
            drawn.append((depth, match[2]))
    actual: list[tuple[int, str]] = []

    def walk(error: type[Exception], depth: int) -> None:
        actual.append((depth, error.__name__))
        for child in error.__subclasses__():
            if child.__module__ == errors.__name__:
                walk(child, depth + 1)

    walk(errors.KinesisHandlerError, 0)
    assert drawn == actual
