"""The commands with their options, from their functions."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, get_args, get_type_hints

from typer import Typer
from typer.models import ArgumentInfo, OptionInfo

from kinesis_handler.cli.commands import app
from reference.docstrings import markdown

INTRODUCTION = """\
# Command line

`kinesis-handler` works with any application. The function that builds it is named by
`--app package.module:name`, by `KINESIS_HANDLER_APP`, or by `app` below `[tool.kinesis-handler]` of the
pyproject.toml in the current folder.

The exit status is 0 if nothing failed for good, 1 if something failed, 2 if the input, a setting or the store
cannot be used.
"""


def command_line_page() -> str:
    """Return the page of the commands."""
    commands = sorted(commands_of(app, "kinesis-handler"), key=lambda command: command[0])
    return "\n".join([INTRODUCTION, *(part for command in commands for part in _command(*command))])


def commands_of(typer: Typer, name: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield each command's name and function, including those in groups."""
    for command in typer.registered_commands:
        if command.callback is not None:
            yield f"{name} {command.name or command.callback.__name__}", command.callback
    for group in typer.registered_groups:
        if group.typer_instance is not None:
            yield from commands_of(group.typer_instance, f"{name} {group.name}")


def _command(name: str, function: Callable[..., Any]) -> Iterator[str]:
    yield f"## {name}\n"
    yield f"{markdown(function.__doc__)}\n"
    yield "| | default | |\n|---|---|---|"
    hints = get_type_hints(function, include_extras=True)
    for parameter in inspect.signature(function).parameters.values():
        kind, *_, info = get_args(hints[parameter.name])
        yield f"| `{_name(parameter.name, kind, info)}` | {_default(parameter)} | {info.help or ''} |"
    yield ""


def _name(name: str, kind: object, info: OptionInfo | ArgumentInfo) -> str:
    if isinstance(info, ArgumentInfo):
        return name.upper()
    declared = [info.default, *(info.param_decls or ())]
    options = [str(each) for each in declared if str(each).startswith("--")]
    option = options[0] if options else f"--{name.replace('_', '-')}"
    return option if kind is bool else f"{option} {info.metavar or name.upper()}"


def _default(parameter: inspect.Parameter) -> str:
    if parameter.default is inspect.Parameter.empty:
        return "must be given"
    return "" if parameter.default in {None, "", False} else f"`{parameter.default}`"
