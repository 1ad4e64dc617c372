"""Implements `get` and `list`: shows what is stored under a key, or in a partition."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column
from rich.text import Text

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.application import Application, View
from kinesis_handler.cli.application import ApplicationName, StoreUrl, load_application
from kinesis_handler.cli.console import echo, echo_json, plain_grid, plain_table, standard_output, styled
from kinesis_handler.errors import ConfigurationError, UnreadableError
from kinesis_handler.local.stream.outages import as_utc
from kinesis_handler.stores import pages_of
from kinesis_handler.stores.url import LASTING_STORE_FORMS, SQLite, parse_url, url_of

MAX_LISTED = 100
"""Aggregates that `list` shows, unless it is told otherwise."""

_OF_THE_SETTINGS = "of-the-settings"
"""Name of a file or a table that a URL leaves to the application."""

Partition = Annotated[str, typer.Argument(help="The first part of the key.")]
Sort = Annotated[str, typer.Argument(help="The second part of the key.")]
ViewName = Annotated[
    str | None,
    typer.Option("--view", metavar="NAME", help="What is looked at. Default: the application's first view."),
]


def get(  # noqa: PLR0913, PLR0917 - a command has as many options as it has
    partition: Partition,
    sort: Sort,
    view_name: ViewName = None,
    application_name: ApplicationName = None,
    store: StoreUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, or null.")] = False,  # noqa: FBT002
) -> None:
    """Show what is stored under a key.

    The exit status is 0 if it was found, 1 if nothing is stored there or it cannot be read, 2 if the store
    cannot be used.
    """
    application = load_stored(application_name, store)
    view, key = view_of(application, view_name), (partition, sort)
    loaded = view.repository.load([key])
    found = loaded.found.get(key)
    if as_json:
        echo_json(view.document(found) if found is not None else None)
    elif found is not None:
        _print_one(view, found)
    if found is None:
        if (error := loaded.failed.get(key)) is not None:
            echo(f"cannot be read: {error}", "red", err=True)
        elif (left := loaded.vacant.get(key)) is not None:
            echo(f"{_named(view, key)}: no state; {_history_of(left)}", err=True)
        else:
            echo(f"{_named(view, key)}: nothing is stored in {_store_of(application)}", err=True)
        raise typer.Exit(1)


def list_partition(  # noqa: PLR0913, PLR0917 - a command has as many options as it has
    partition: Partition,
    view_name: ViewName = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many are shown, at most.")] = MAX_LISTED,
    application_name: ApplicationName = None,
    store: StoreUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """Show what is stored in a partition, in the order of the sort keys.

    The exit status is 0, or 1 if something in it cannot be read, 2 if the store cannot be used.
    """
    application = load_stored(application_name, store)
    view = view_of(application, view_name)
    unreadable: dict[Key, UnreadableError] = {}
    found: list[Aggregate[Any]] = []
    more = False
    for each in _stored_in(view, partition, limit + 1, unreadable):
        more = len(found) == limit
        if more:
            break
        found.append(each)
    if as_json:
        echo_json([view.document(each) for each in found])
    else:
        _print_all(view, found)
        if not found:
            echo(f"no {view.name} of {partition} in {_store_of(application)}")
    if more:
        echo(f"… and more than these {limit:,}: --limit N shows them", err=True)
    for error in unreadable.values():
        echo(f"cannot be read: {error}", "red", err=True)
    if unreadable:
        raise typer.Exit(1)


def load_stored(name: str | None, store: str | None) -> Application:
    """Build an application on a store that must be there, and hold more than this process puts into it.

    Raises ConfigurationError if it is missing, cannot be used, or is memory.
    """
    if store is not None:
        address = parse_url(store, file=_OF_THE_SETTINGS, table=_OF_THE_SETTINGS)
        # To open a file makes it: what is mistyped must not leave an empty one behind.
        path = address.path if isinstance(address, SQLite) else _OF_THE_SETTINGS
        if path != _OF_THE_SETTINGS and not Path(path).exists():
            raise ConfigurationError(f"--store is {store!r}; there is no file {path!r}")
    application = load_application(name, store)
    if application.store is not None and application.store.in_memory:
        raise ConfigurationError(
            f"the store is {_store_of(application)!r}, which is empty when a command begins: "
            f"say --store {LASTING_STORE_FORMS}"
        )
    application.check()
    return application


def view_of(application: Application, name: str | None) -> View[Any]:
    """Return a view of an application; the first one without a name.

    Raises ConfigurationError that names those that there are.
    """
    names = [each.name for each in application.views]
    if not names:
        raise ConfigurationError("the application has no view, so that nothing it stores can be shown")
    if name is not None and name not in names:
        raise ConfigurationError(f"--view is {name!r}; allowed: {', '.join(names)}")
    return application.views[names.index(name) if name is not None else 0]


def _stored_in(
    view: View[Any], partition: str, limit: int, unreadable: dict[Key, UnreadableError]
) -> Iterator[Aggregate[Any]]:
    """Yield the aggregates of a partition, page by page; collect what cannot be read."""
    for page in pages_of(view.repository, partition, min(limit, 1_000)):
        unreadable |= page.unreadable
        yield from page.aggregates


def _print_one(view: View[Any], found: Aggregate[Any]) -> None:
    echo(_named(view, found.key), "bold")
    table = plain_grid(Column(style="dim", no_wrap=True), Column(overflow="fold"))
    for heading, text in _fields(view, found):
        table.add_row(styled(heading), text)
    standard_output().print(table)
    echo(f"  {_history_of(found)}", "dim")


def _fields(view: View[Any], found: Aggregate[Any]) -> list[tuple[str, Text]]:
    """Return the columns of a view's row; one without a heading belongs to the one before it."""
    fields: list[tuple[str, Text]] = []
    for heading, cell in zip(view.headings, view.row(found), strict=True):
        if heading:
            fields.append((heading, styled(*cell)))
        elif fields:  # in front of all others it is the sort key
            fields[-1][1].append(" ").append_text(styled(*cell))
    return fields


def _print_all(view: View[Any], found: Sequence[Aggregate[Any]]) -> None:
    if found:
        table = plain_table(*(Column(each, overflow="fold") for each in view.headings))
        for each in found:
            table.add_row(*(styled(*cell) for cell in view.row(each)))
        standard_output().print(table)


def _history_of(aggregate: Aggregate[Any]) -> str:
    """Say how an aggregate came about, and whether events of it wait."""
    text = f"version {aggregate.version}, last event of {as_utc(aggregate.updated_at / 1_000)}"
    parked = aggregate.parked
    return f"{text}; parked: {parked.count} wait: {parked.reason}" if parked is not None else text


def _named(view: View[Any], key: Key) -> str:
    return f"{view.name} {key[0]} {key[1]}"


def _store_of(application: Application) -> str:
    return url_of(application.store.address) if application.store is not None else "the application's store"
