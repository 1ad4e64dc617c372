"""Implements `redrive`: sends rejected and given-up records again."""

import time
from collections import Counter
from collections.abc import Sequence
from functools import cache, partial
from typing import Annotated, Literal

import typer

from kinesis_handler.application import Application
from kinesis_handler.cli.application import ApplicationName, StoreUrl, load_application
from kinesis_handler.cli.console import echo_json, standard_output
from kinesis_handler.cli.progress import progress
from kinesis_handler.cli.quarantine import Reason, matches, print_groups, print_unreadable
from kinesis_handler.cli.times import parse_moment
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.local.redrive import Redrive, RedriveTarget, Result, Verdict
from kinesis_handler.local.redrive.fetch import ReaderOf, fetch_from_queue, fetch_records, stream_readers
from kinesis_handler.local.redrive.queue import FailedBatchQueue
from kinesis_handler.local.redrive.rounds import Verdicts, left_of, redrive_all, results_sentence
from kinesis_handler.local.redrive.through_handler import ThroughHandler
from kinesis_handler.local.redrive.through_stream import ThroughStream
from kinesis_handler.local.stream.client import kinesis_client
from kinesis_handler.local.stream.writer import StreamWriter
from kinesis_handler.quarantine.contents import Contents, read_quarantines, remove_finished, waiting_in
from kinesis_handler.quarantine.entry import Entry, Position
from kinesis_handler.quarantine.groups import grouped

MAX_NAMED = 5
"""Most omitted records that are named."""


Through = Literal["handler", "stream"]
"""The targets of a redrive."""


def redrive(  # noqa: PLR0913, PLR0917 - a command has as many options as it has
    through: Annotated[
        Through, typer.Option(help="Send records to the handler, or put them onto the stream as new records.")
    ],
    reason: Reason = "",
    since: Annotated[
        str,
        typer.Option(
            metavar="WHEN", help="Only records that arrived then or later: a time, or how long ago: 6h, 3d."
        ),
    ] = "",
    accept_too_late: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--accept-too-late", help="Mark records that come too late as done, too."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be sent, and end.")] = False,  # noqa: FBT002
    delete: Annotated[  # noqa: FBT002
        bool, typer.Option("--delete", help="Afterwards delete the objects whose records are all done.")
    ] = False,
    queue: Annotated[
        str | None,
        typer.Option(metavar="URL", help="First fetch the records that an on-failure SQS queue refers to."),
    ] = None,
    stream: Annotated[
        str | None, typer.Option(metavar="NAME", help="Put records onto this stream instead of their own.")
    ] = None,
    application_name: ApplicationName = None,
    store: StoreUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,  # noqa: FBT002
) -> None:
    """Send rejected and failed records again, in the order of the stream, and mark those that are done.

    Parked keys come first: all that waits of one is applied in its order, or none of it. A record that was
    given up is too late if later events of its key have been applied: it stays, and is reported.

    After an interruption, run it again: it continues. Records that a document only refers to are first
    fetched from the stream, while it retains them.

    The exit status is 0 if all records are done, 1 if some are left or could not be read, 2 if it cannot
    work.
    """
    application = load_application(application_name, store)
    earliest = parse_moment("--since", since, time.time()) if since else 0.0
    target = _target(through, application, stream, accept_too_late=accept_too_late)
    if queue is not None and application.quarantine is None:
        raise ConfigurationError("--queue needs a quarantine to keep the records in: the settings name none")
    reader_of = stream_readers(application.default_region)
    problems = [] if dry_run else _fetch(application, queue, reader_of)
    read = partial(read_quarantines, application.quarantines)
    contents: Sequence[Contents] = read()
    problems += [] if dry_run else [each for some in contents for each in fetch_records(some, reader_of)]
    chosen = partial(_is_chosen, reason=reason, earliest=earliest)
    undated = _undated(contents, reason) if since else []
    if dry_run:
        would_send = grouped(Redrive(contents, chosen).entries)
        if as_json:
            echo_json({"wouldSend": would_send})
        else:
            print_groups(would_send)
            _print_unfetched(contents, _queue(application, queue))
            _print_undated(undated, since)
        raise typer.Exit(1 if print_unreadable(contents) else 0)
    verdicts, contents = redrive_all(contents, read, chosen, lambda sending: _send(sending, target))
    removed = remove_finished(contents) if delete else 0
    results = list(verdicts.values())
    if as_json:
        _print_json(results, problems, undated, removed)
    else:
        _print_results(results, problems, removed)
        _print_undated(undated, since)
    unread = print_unreadable(contents)
    left = any(verdict.needs_attention for _, verdict in verdicts.values())
    raise typer.Exit(1 if left or undated or problems or unread else 0)


def _is_chosen(entry: Entry, *, reason: str, earliest: float) -> bool:
    """Tell whether --reason and --since select an entry: without --since, whenever it arrived."""
    is_recent = earliest == 0 or (entry.arrived is not None and entry.arrived >= earliest)
    return matches(entry, reason) and is_recent


def _undated(contents: Sequence[Contents], reason: str) -> list[Entry]:
    """Return the entries that --since cannot select, because their time of arrival is not known."""
    waiting = (each.entry for each in waiting_in(contents).values())
    return [entry for entry in waiting if entry.arrived is None and matches(entry, reason)]


def _target(
    through: Through, application: Application, stream: str | None, *, accept_too_late: bool
) -> RedriveTarget:
    if through == "handler":
        if stream is not None:
            raise ConfigurationError(f"--stream is {stream!r}; it is only for --through stream")
        application.check(states=True)
        return ThroughHandler(application.handler, application.quarantine, accept_too_late=accept_too_late)
    if accept_too_late:
        raise ConfigurationError(
            "--accept-too-late is only for --through handler: what becomes of a record that is put onto "
            "the stream is not known here"
        )
    client = kinesis_client(default_region=application.default_region)
    return ThroughStream(cache(lambda arn: StreamWriter(client, stream or arn, time.sleep)))


def _fetch(application: Application, url: str | None, reader_of: ReaderOf) -> list[str]:
    queue = _queue(application, url)
    if queue is None or application.quarantine is None:
        return []
    return list(fetch_from_queue(queue, application.quarantine, reader_of))


def _queue(application: Application, url: str | None) -> FailedBatchQueue | None:
    return None if url is None else FailedBatchQueue(url, default_region=application.default_region)


def _send(sending: Redrive, target: RedriveTarget) -> Verdicts:
    """Send all entries, showing the progress."""
    verdicts: dict[Position, tuple[Entry, Verdict]] = {}
    with progress(f"through the {target.name}", lambda: len(verdicts), lambda: len(sending.entries)):
        for sent in sending.run(target):
            verdicts |= {entry.position: (entry, verdict) for entry, verdict in sent}
    return verdicts


def _print_json(
    verdicts: Sequence[tuple[Entry, Verdict]], problems: Sequence[str], undated: Sequence[Entry], removed: int
) -> None:
    counts = Counter(verdict.result for _, verdict in verdicts)
    echo_json(
        {
            "results": {result: counts[result] for result in Result},
            "left": left_of(verdicts),
            "notFetched": problems,
            "undated": len(undated),
            "removedObjects": removed,
        }
    )


def _print_results(verdicts: Sequence[tuple[Entry, Verdict]], problems: Sequence[str], removed: int) -> None:
    console = standard_output()
    console.print(results_sentence(verdicts, removed))
    if any(verdict.result is Result.PUT for _, verdict in verdicts):
        console.print("what becomes of those on the stream, its consumer decides: see its log", style="dim")
    if left := left_of(verdicts):
        print_groups(left)
    for problem in problems:
        console.print(f"not fetched: {problem}", style="red")


def _print_undated(undated: Sequence[Entry], since: str) -> None:
    """Print the entries that were left out because their time of arrival is not known."""
    if not undated:
        return
    records = f"{len(undated):,} {'record has' if len(undated) == 1 else 'records have'}"
    positions = ", ".join(f"{entry.shard_id} {entry.sequence_number}" for entry in undated[:MAX_NAMED])
    more = f" and {len(undated) - MAX_NAMED:,} more" if len(undated) > MAX_NAMED else ""
    text = (
        f"left out: {records} no time of arrival, so that --since {since} cannot choose: {positions}{more}. "
        "Leave --since out, or choose by --reason"
    )
    standard_output().print(text, style="yellow")


def _print_unfetched(contents: Sequence[Contents], queue: FailedBatchQueue | None) -> None:
    console = standard_output()
    waiting = sum(each.info.batch_size for some in contents for each in some.unfetched.values())
    if waiting:
        console.print(f"and {waiting:,} records that would be fetched from the stream first")
    if queue is not None:
        console.print(f"and what about {len(queue):,} messages of the queue refer to")
