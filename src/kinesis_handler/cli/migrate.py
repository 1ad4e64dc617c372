"""`migrate`: from one store to another while events keep flowing."""

from itertools import chain, islice
from pathlib import Path
from typing import Annotated

import typer

from kinesis_handler.cli.application import ApplicationName, load_application
from kinesis_handler.cli.console import echo, echo_json, echo_problems
from kinesis_handler.cli.progress import progress
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.moving.chunks import named
from kinesis_handler.moving.copy import MAX_NAMED, copy_store, read_progress
from kinesis_handler.moving.opening import Migration
from kinesis_handler.moving.phase import Phase, Side
from kinesis_handler.moving.verification import Verification

_COMPLETE = "after `migrate copy` and a `migrate verify` that finds nothing, with the consumer stopped"
NEXT = {
    None: [("source", "set MIGRATION_PHASE in all handlers, as a file or in AppConfig")],
    Phase.SOURCE: [("dual", "at once")],
    Phase.DUAL: [("target-dual", _COMPLETE), ("source", "at once; from then on the target falls behind")],
    Phase.TARGET_DUAL: [("target", "at once"), ("dual", _COMPLETE)],
    Phase.TARGET: [("the end", "remove the settings of the move"), ("target-dual", "at once")],
}
"""Phases that a handler may be sent to from another one, each with what has to be done before."""

FromUrl = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="URL",
        help="sqlite:///FILE or dynamodb://TABLE, in place of what the settings say. A table's URL may end"
        " with ?region=REGION or ?endpoint=URL, or with both, joined by &.",
    ),
]
ToUrl = Annotated[
    str | None, typer.Option("--to", metavar="URL", help="Likewise, in place of MIGRATION_TARGET.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

app = typer.Typer(
    no_args_is_help=True, help="Move what is stored from one store to another while events keep flowing."
)


@app.command()
def copy(
    application_name: ApplicationName = None,
    source: FromUrl = None,
    target: ToUrl = None,
    rate: Annotated[
        float | None, typer.Option(metavar="UNITS", min=1, help="Write units a second, at most.")
    ] = None,
    file: Annotated[
        Path, typer.Option("--progress", metavar="FILE", help="Where the progress of an interrupted copy is.")
    ] = Path("migrate-copy.json"),
) -> None:
    """Copy the store that decides to the other one, which keeps what is as new there, or newer.

    Interrupted and run again, it resumes, unless its progress file is removed.

    The exit status is 0 if the other store has all of it now, 1 if not, 2 if it cannot work.
    """
    move, decides = _opened(application_name, source, target)
    so_far = read_progress(file, (move.names[decides], move.names[decides.other]))
    if so_far.seen:
        echo(f"resumes behind {so_far.seen:,} items")
    try:
        with progress("read", lambda: so_far.seen, lambda: _items(move, decides)[0]):
            copy_store(move.repositories, decides, so_far, file, rate=rate)
    finally:  # of one that is interrupted too: the next one resumes
        parts = [f"{so_far.written:,} written", f"{so_far.present:,} there already"]
        parts += [f"{so_far.uncopied:,} not copied"] if so_far.uncopied else []
        echo(f"{so_far.seen:,} read: {', '.join(parts)}")
        echo_problems([f"not copied: {each}" for each in so_far.named], MAX_NAMED, so_far.uncopied)
    raise typer.Exit(1 if so_far.uncopied else 0)


@app.command()
def verify(
    application_name: ApplicationName = None,
    source: FromUrl = None,
    target: ToUrl = None,
    repair: Annotated[  # noqa: FBT002
        bool, typer.Option("--repair", help="Bring the other store up to the one that decides.")
    ] = False,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Compare every item of both stores, value by value, and list the fields that differ.

    What differs is looked at several times: while events flow, one side is always a moment ahead.

    The exit status is 0 if nothing differs, or all has been repaired, 1 if not, 2 if it cannot work.
    """
    move, decides = _opened(application_name, source, target)
    work = Verification(decides, repair=repair)
    with progress("read", lambda: work.scanned, lambda: sum(_items(move, side)[0] for side in Side)):
        found = ((name, each) for name, sides in move.repositories.items() for each in work.run(sides))
        listed = list(islice(found, MAX_NAMED))
        more = sum(1 for _ in found)
    ending = typer.Exit(1 if work.differ > work.repaired else 0)
    if as_json:
        counts = {"compared": work.compared, "differ": work.differ, "repaired": work.repaired}
        differences = [
            {"repository": name, "key": each.key, "what": each.what, "repaired": each.repaired}
            for name, each in listed
        ]
        echo_json({**counts, "differences": differences})
        raise ending
    for name, each in listed:
        line = f"{named(each.key, name)}: {each.what}{' (repaired)' if each.repaired else ''}"
        echo(line, "red" if each.damaged else "", err=bool(each.damaged))
    if more:
        echo(f"… and {more:,} more")
    repaired = f", {work.repaired:,} repaired" if repair and work.differ else ""
    echo(f"{work.compared:,} compared: {work.differ:,} differ{repaired}")
    raise ending


@app.command()
def status(
    application_name: ApplicationName = None,
    source: FromUrl = None,
    target: ToUrl = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Show the phase, how many items each side has, and the steps that may be taken now.

    What cannot be read in a file is named. A table is not read: `verify` does that.
    """
    move, decides = _opened(application_name, source, target)
    phase = move.phase() if move.phase is not None else None
    items = {side: _items(move, side) for side in Side}
    other = "replica" if phase and phase.replica else "not written"
    roles = {side: "decides" if side is decides else other for side in Side}
    if as_json:
        sides = {
            side: {"store": move.names[side], "role": roles[side], "items": number, "unreadable": unread}
            for side, (number, unread) in items.items()
        }
        steps = [{"step": step, "when": when} for step, when in NEXT[phase]]
        echo_json({"phase": phase, "sides": sides, "next": steps})
        return
    echo(f"phase      {phase or 'none: MIGRATION_PHASE is not set'}")
    for side, (number, unread) in items.items():
        echo(f"{side:<10} {move.names[side]}: {number:,} items, {roles[side]}")
        echo_problems([f"cannot be read: {why}" for why in unread], MAX_NAMED)
    for following, how in NEXT[phase]:
        echo(f"next       {following}: {how}")


def _opened(application_name: str | None, source: str | None, target: str | None) -> tuple[Migration, Side]:
    """Return the move, and the side that decides."""
    application = load_application(application_name)
    if application.migration is None:
        raise ConfigurationError(f"--app is {application_name!r}, which cannot be moved")
    move = application.migration(source, target)
    for table in chain.from_iterable(move.tables.values()):
        table.check()
    return move, move.phase().decides if move.phase is not None else Side.SOURCE


def _items(move: Migration, side: Side) -> tuple[int, list[str]]:
    """Count the items of a side, and say why some cannot be read.

    A table counts them itself, every few hours, and is not read; a file is.
    """
    if tables := move.tables[side]:
        counts = [table.describe().get("items") for table in tables]
        return sum(each for each in counts if isinstance(each, int)), []
    unread: list[str] = []
    of_side = (sides[side] for sides in move.repositories.values())
    scans = (each.scan(on_unreadable=lambda _, why: unread.append(str(why))) for each in of_side)
    return sum(1 for _ in chain.from_iterable(scans)) + len(unread), unread
