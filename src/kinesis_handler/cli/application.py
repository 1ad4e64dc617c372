"""What the commands have in common: how the application is found, and how errors are told."""

import importlib
import inspect
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from kinesis_handler.application import Application
from kinesis_handler.cli.console import echo_error, standard_error, styled
from kinesis_handler.cli.project import VARIABLE, named_application
from kinesis_handler.errors import ConfigurationError, KinesisHandlerError
from kinesis_handler.project.pyproject import PYPROJECT
from kinesis_handler.stores.url import STORE_FORMS
from kinesis_handler.telemetry.logs import ensure_logging

ApplicationName = Annotated[
    str | None,
    typer.Option(
        "--app",
        metavar="PACKAGE.MODULE:NAME",
        envvar=VARIABLE,
        help=f"The function that builds the application. Default: what {PYPROJECT} here names.",
    ),
]
BatchSize = Annotated[int, typer.Option(min=1, max=10_000, help="Records in a batch, at most.")]
StreamName = Annotated[str, typer.Option("--stream", metavar="NAME", help="The stream: its name or its ARN.")]
Retries = Annotated[int, typer.Option(min=0, help="Deliveries of a failed batch after the first.")]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="inmemory:, sqlite:///FILE or dynamodb://TABLE, in place of what the settings say.",
    ),
]


class BrokenApplicationError(ConfigurationError):
    """The application's own code raised an error, its `__cause__`, when it was imported or built."""


def load_application(name: str | None, store: str | None = None) -> Application:
    """Build the application that `package.module:name` names, on its own store or on that of a URL.

    Args:
        name: None for the one that the current folder's pyproject.toml names.
        store: the URL of a store in place of the application's own.

    Raises ConfigurationError if it cannot be found, takes no store, or what is found builds no application,
    and BrokenApplicationError if its own code raises anything else.
    """
    name = named_application(name)
    module_name, _, attribute = name.partition(":")
    if not (module_name.strip() and attribute.strip()):
        raise ConfigurationError(
            f"--app is {name!r}, or KINESIS_HANDLER_APP; it takes the form package.module:name"
        )
    if store is not None and not store.strip():
        raise ConfigurationError(f"--store is {store!r}; allowed: {STORE_FORMS}")
    sys.path.insert(0, str(Path.cwd()))  # an application of one's own need not be installed
    with _naming(name, "imported"):
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
                raise  # one of its own imports
            raise ConfigurationError(f"--app is {name!r}; there is no module {error.name!r}") from error
    try:
        build = getattr(module, attribute)
    except AttributeError as error:
        raise ConfigurationError(f"--app is {name!r}; {module_name} has no {attribute!r}") from error
    arguments = {} if store is None else {"store": store}
    try:
        inspect.signature(build).bind(**arguments)
    except (TypeError, ValueError) as error:
        how = "without arguments" if store is None else "with a store"
        raise ConfigurationError(f"--app is {name!r}, which cannot be called {how}") from error
    ensure_logging()
    with _naming(name, "called"):
        application = build(**arguments)
    if not isinstance(application, Application):
        raise ConfigurationError(f"--app is {name!r}, which does not return an Application")
    return application


@contextmanager
def _naming(name: str, done: str) -> Iterator[None]:
    """Turn an error of the application's own code into one that names the application."""
    try:
        yield
    except KinesisHandlerError:
        raise
    except Exception as error:
        raise BrokenApplicationError(f"--app is {name!r}; when it is {done}, it raises:") from error


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Print an error that the user can correct in one sentence, and end with status 2.

    Below an error of the application's own code comes its traceback, from the first line of that code on.
    """
    try:
        yield
    except BrokenApplicationError as error:
        echo_error(str(error))
        _print_traceback(error.__cause__)
        raise typer.Exit(2) from error
    except KinesisHandlerError as error:
        echo_error(str(error))
        raise typer.Exit(2) from error


class Commands(TyperGroup):
    """The commands, of which each prints an error that the user can correct as `exit_on_error` does."""

    def invoke(self, ctx: Any) -> Any:  # typer has a context of its own, which in older versions is click's
        """Run the command that the arguments name."""
        with exit_on_error():
            return super().invoke(ctx)


def _print_traceback(error: BaseException | None) -> None:
    """Print the traceback of an error, without the frames of the command line and of the import itself."""
    shown = traceback.TracebackException.from_exception(error) if error is not None else None
    if shown is None:
        return
    ours = ("<frozen importlib", str(Path(__file__).parent), importlib.__file__)
    while shown.stack and shown.stack[0].filename.startswith(ours):
        del shown.stack[0]
    console = standard_error()
    for line in "".join(shown.format()).splitlines():
        console.print(styled(line), soft_wrap=True)
