"""The public names, with their docstrings. They are read from the source: nothing is imported for them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from reference.docstrings import markdown

SRC = Path(__file__).parent.parent / "src"
LONGEST_LINE = 88

MODULES = (
    "kinesis_handler",
    "kinesis_handler.envelopes",
    "kinesis_handler.application",
    "kinesis_handler.json_api",
    "kinesis_handler.stores",
    "kinesis_handler.testing",
    "kinesis_handler.local.event_source",
    "kinesis_handler.kcl",
    "kinesis_handler.batch",
    "kinesis_handler.lambda_types",
    "kinesis_handler.outcome",
    "kinesis_handler.stores.memory",
    "kinesis_handler.stores.sqlite",
    "kinesis_handler.stores.dynamodb",
    "kinesis_handler.quarantine",
    "kinesis_handler.quarantine.directory",
    "kinesis_handler.quarantine.s3",
    "kinesis_handler.telemetry.metrics",
    "kinesis_handler.extras",
)
"""Public modules, in the order in which a reader needs them."""

INTRODUCTION = """\
# Python

The names that an application may import. All other names may change without notice.
"""


def python_page() -> str:
    """Return the page of the public names."""
    return "\n".join([INTRODUCTION, *(part for module in MODULES for part in _module(module))])


def public_names(module: str) -> list[str]:
    """Return the names in a module's `__all__`."""
    [names] = [node for node in _tree(module).body if _assigned(node) == "__all__"]
    return [str(name) for name in ast.literal_eval(ast.unparse(names).partition("=")[2].strip())]


def _module(module: str) -> Iterator[str]:
    yield f"## {module}\n"
    docstring = ast.get_docstring(_tree(module))
    yield f"{markdown(docstring)}\n"
    for name in public_names(module):
        yield from _name(module, name)


def _name(module: str, name: str) -> Iterator[str]:
    """Yield the parts of a name's description, from its definition."""
    tree = _tree(module)
    for index, node in enumerate(tree.body):
        if isinstance(node, ast.ImportFrom) and name in {alias.name for alias in node.names}:
            yield from _name(str(node.module), name)
        elif isinstance(node, ast.ClassDef) and node.name == name:
            yield f"### {name}\n"
            yield from _class(node)
        elif isinstance(node, ast.FunctionDef) and node.name == name:
            yield f"### {name}\n"
            yield _described(_signature(node), ast.get_docstring(node))
        elif _assigned(node) == name:
            yield f"### {name}\n"
            yield _described(ast.unparse(node), _string(tree.body[index + 1]))


def _class(node: ast.ClassDef) -> Iterator[str]:
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    heading = f"class {node.name}({bases})" if bases else f"class {node.name}"
    fields = [
        f"    {ast.unparse(each)}" for each in node.body if isinstance(each, ast.AnnAssign | ast.Assign)
    ]
    shown = "\n".join([f"{heading}:", *fields]) if fields else heading
    methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
    for each in methods:
        if each.name == "__init__":
            shown = _signature(each, node.name)
    yield _described(shown, ast.get_docstring(node))
    for each in methods:
        if not each.name.startswith(("_", "test_")):
            yield _described(_signature(each, f"{node.name}.{each.name}"), ast.get_docstring(each))


def _described(code: str, docstring: str | None) -> str:
    return f"```py\n{code}\n```\n\n{markdown(docstring)}\n"


def _signature(node: ast.FunctionDef, name: str | None = None) -> str:
    """Return a function's signature, with one argument per line if one line is too short."""
    name = name or node.name
    returned = f" -> {_type(node.returns)}" if node.returns and node.name != "__init__" else ""
    if any(ast.unparse(each) in {"property", "cached_property"} for each in node.decorator_list):
        return f"{name}: {_type(node.returns)}"
    arguments = [each for each in _arguments(node.args) if each != "self"]
    line = f"{name}({', '.join(arguments)}){returned}"
    if len(line) <= LONGEST_LINE:
        return line
    return f"{name}(\n{''.join(f'    {each},{chr(10)}' for each in arguments)}){returned}"


def _arguments(arguments: ast.arguments) -> Iterator[str]:
    positional = [*arguments.posonlyargs, *arguments.args]
    required = len(positional) - len(arguments.defaults)
    for index, each in enumerate(positional):
        yield _argument(each, arguments.defaults[index - required] if index >= required else None)
    if arguments.kwonlyargs:
        yield "*"
    for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _argument(each, default)


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    shown = f"{argument.arg}: {_type(argument.annotation)}" if argument.annotation else argument.arg
    return f"{shown} = {ast.unparse(default)}" if default else shown


def _type(annotation: ast.expr | None) -> str:
    """Return a type as text, without the quotes around a name that exists only for the type checker."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return annotation.value
    return ast.unparse(annotation) if annotation else ""


@cache
def _tree(module: str) -> ast.Module:
    path = SRC.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text())


def _assigned(node: ast.stmt) -> str | None:
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return None


def _string(node: ast.stmt) -> str | None:
    """Return the docstring that follows a value."""
    return (
        str(node.value.value) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) else None
    )
