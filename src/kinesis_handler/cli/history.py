"""Implements `history`: folds the events of one key from the stream, and compares with what is stored."""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

import msgspec
import typer
from msgspec import Struct
from rich.table import Column

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.application import Application, View
from kinesis_handler.batch import Source
from kinesis_handler.cli.application import ApplicationName, StoreUrl, StreamName, load_application
from kinesis_handler.cli.console import echo, echo_json, plain_table, standard_output, styled
from kinesis_handler.cli.stored import Partition, Sort, ViewName, load_stored, view_of
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.stream.checkpoint import Checkpoint
from kinesis_handler.local.stream.client import kinesis_client
from kinesis_handler.local.stream.outages import as_utc
from kinesis_handler.local.stream.reader import StreamReader
from kinesis_handler.local.stream.shards import readable
from kinesis_handler.outcome import HandledRecord, Status
from kinesis_handler.projection import Projection
from kinesis_handler.telemetry.logs import configure_logging

FROM_NOTHING = "inmemory:"

_ONLY_LOOKED_AT = Source.QUARANTINE
"""Source of records of which nothing is stored in a quarantine, and nothing is parked."""


class Line(Struct, frozen=True, rename="camel"):
    """An event of the key, what became of it, and the version of the aggregate behind it."""

    created_at: str
    event_id: str
    type: str
    outcome: str
    reason: str
    version: int
    shard: str
    sequence_number: str


class Difference(Struct, frozen=True):
    """A field that a fold from nothing leaves with another value than the stored one."""

    field: str
    stored: object
    folded: object


def history(  # noqa: PLR0913, PLR0917 - a command has as many options as it has
    partition: Partition,
    sort: Sort,
    stream: StreamName,
    view_name: ViewName = None,
    application_name: ApplicationName = None,
    store: StoreUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,  # noqa: FBT002
) -> None:
    """Show the events of a key that the stream retains, in order, and what a fold of them from nothing gives.

    The whole stream is read. Where it no longer begins with the first event of the key, the fold may differ
    from what is stored. Nothing is changed, neither in the store nor in the quarantine.

    The exit status is 0 if both are the same, 1 if they differ, 2 if store or stream cannot be used.
    """
    application, key = load_stored(application_name, store), (partition, sort)
    view = view_of(application, view_name)
    stored = view.repository.load([key]).found.get(key)
    reader = StreamReader(kinesis_client(default_region=application.default_region), stream)

    def from_nothing() -> Application:
        return load_application(application_name, FROM_NOTHING)

    fresh = from_nothing()
    configure_logging(level="critical")  # what is read has been logged before
    records = list(_records_of(key, view.name, reader, from_nothing))
    lines, folded = _folded(key, view.name, fresh, records)
    differences = _differences(stored, folded)
    if as_json:
        echo_json(
            {
                "events": msgspec.to_builtins(lines),
                "stored": view.document(stored) if stored is not None else None,
                "folded": view.document(folded) if folded is not None else None,
                "differences": differences,
            }
        )
    else:
        _print(view, key, lines, differences)
    raise typer.Exit(1 if differences else 0)


def _records_of(
    key: Key, view_name: str, reader: StreamReader, from_nothing: Callable[[], Application]
) -> Iterator[LambdaRecord]:
    """Yield the records of the stream that hold an event of the key, parents of a shard before it."""
    for page in _pages(reader):
        probe = from_nothing()  # its states are of no use, and would fill the memory
        projection = _projection_of(probe, view_name)
        result = probe.handler.handle({"Records": page}, source=_ONLY_LOOKED_AT)
        numbers = {each.record.sequence_number for each in result if _is_of(each, projection, key)}
        yield from (each for each in page if each["kinesis"]["sequenceNumber"] in numbers)


def _pages(reader: StreamReader) -> Iterator[list[LambdaRecord]]:
    """Yield all records of a stream, as they are now."""
    ended: set[str] = set()
    while waiting := readable(reader.shards(), ended):
        for shard in waiting:
            pages = reader.shard(shard.id, Checkpoint())
            while True:
                page = pages.read()
                if page.records:
                    yield page.records
                if page.ended or not page.behind_ms:
                    break
            ended.add(shard.id)


def _folded(
    key: Key, view_name: str, application: Application, records: Sequence[LambdaRecord]
) -> tuple[list[Line], Aggregate[Any] | None]:
    """Return what becomes of each event of the key in an empty store, and what it holds in the end."""
    projection = _projection_of(application, view_name)
    lines: list[Line] = []
    version = 0
    for record in records:
        result = application.handler.handle({"Records": [record]}, source=_ONLY_LOOKED_AT)
        loaded = projection.repository.load([key]).stored()
        version, before = loaded[key].version if key in loaded else 0, version
        events = [each for each in result if _is_of(each, projection, key)]
        for each in events:
            applied = version - before == len(events)
            lines.append(_line(each, Status.APPLIED if applied else each.outcome.status, version))
    return lines, projection.repository.load([key]).found.get(key)


def _line(handled: HandledRecord, status: Status, version: int) -> Line:
    event, record, error = handled.event, handled.record, handled.outcome.error
    return Line(
        created_at=as_utc(event.created_at / 1_000) if event is not None else "",
        event_id=event.id if event is not None else "",
        type=event.type if event is not None else "",
        outcome=status,
        reason=str(error) if error is not None else "",
        version=version,
        shard=record.shard_id,
        sequence_number=record.sequence_number,
    )


def _is_of(handled: HandledRecord, projection: Projection[Any, Any], key: Key) -> bool:
    """Tell whether a record is an event of the key. One whose key cannot be computed is of none."""
    event = handled.event
    if event is None or event.type not in projection.event_types:
        return False
    try:
        return key in projection.keys(event)
    except Exception:  # noqa: BLE001 - their own code; the event has failed, and is in the log
        return False


def _projection_of(application: Application, view_name: str) -> Projection[Any, Any]:
    """Return the projection whose states a view shows. Raises ConfigurationError if there is none."""
    view = view_of(application, view_name)
    for each in application.handler.processors:
        if isinstance(each, Projection) and each.repository is view.repository:
            return each
    raise ConfigurationError(f"no projection of the application stores what the view {view.name!r} shows")


def _differences(stored: Aggregate[Any] | None, folded: Aggregate[Any] | None) -> list[Difference]:
    one, other = _fields(stored), _fields(folded)
    return [
        Difference(name, one.get(name), other.get(name))
        for name in sorted({*one, *other})
        if one.get(name) != other.get(name)
    ]


def _fields(aggregate: Aggregate[Any] | None) -> dict[str, object]:
    if aggregate is None:
        return {}
    state = msgspec.to_builtins(aggregate.state)
    return {"version": aggregate.version, **(state if isinstance(state, dict) else {"state": state})}


def _print(view: View[Any], key: Key, lines: Sequence[Line], differences: Sequence[Difference]) -> None:
    echo(f"{view.name} {key[0]} {key[1]}: {len(lines):,} events on the stream", "bold")
    if lines:
        headings = ("created", "event", "type", "outcome", "version")
        table = plain_table(*(Column(each, overflow="fold") for each in headings))
        for line in lines:
            outcome = f"{line.outcome}: {line.reason}" if line.reason else line.outcome
            row = (line.created_at, line.event_id, line.type, outcome, str(line.version))
            table.add_row(*map(styled, row))
        standard_output().print(table)
    if not differences:
        echo("a fold of them from nothing gives what is stored", "green")
    for each in differences:
        echo(f"{each.field}: stored is {each.stored}, the fold gives {each.folded}", "yellow")
