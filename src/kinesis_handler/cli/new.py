"""Implements `new`: makes a project."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from kinesis_handler.cli.console import echo
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.project.envelope import EnvelopeName
from kinesis_handler.project.new import Choices, ProjectStore, make_project


def new(
    name: Annotated[str, typer.Argument(help="The project's name, such as parcels or my-parcels.")],
    into: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="An empty folder. Default: a new one of that name.")
    ] = None,
    store: Annotated[
        ProjectStore, typer.Option(help="Where the state is; with sqlite there is nothing for AWS.")
    ] = "dynamodb",
    envelope: Annotated[
        EnvelopeName,
        typer.Option(metavar="NAME", help="What the events are in: native, cloudevents or eventbridge."),
    ] = "native",
    api: Annotated[bool, typer.Option("--api", help="Show the state over HTTP on AWS, as JSON.")] = False,  # noqa: FBT002
) -> None:
    """Make a small project: a projection with its events, a test, and a template for AWS."""
    folder = into if into is not None else Path(name)
    if api and store == "sqlite":
        raise ConfigurationError("--api is for AWS: without it, `kinesis-handler serve` shows any store")
    files = make_project(name, folder, Choices(store, api, envelope))
    lines = sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)
    echo(f"made {folder}: {len(files)} files, {lines} lines. Two commands to begin with:")
    if folder.resolve() != Path.cwd():
        echo(f"  cd {shlex.quote(str(folder))}")
    echo("  make run     # run a few events through the handler, and show the resulting state")
    echo("  make test    # run the tests")
