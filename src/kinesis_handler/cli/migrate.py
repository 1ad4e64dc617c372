"""`migrate`: from one store to another while events keep flowing."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kinesis_handler.application import Migration
from kinesis_handler.cli.application import (
    ApplicationName,
    exit_on_error,
    load_application,
)
from kinesis_handler.cli.console import echo
from kinesis_handler.cli.migration_steps import next_steps, who_decides
from kinesis_handler.cli.progress import progress
from kinesis_handler.errors import ConfigurationError, RepositoryError, UnreadableError
from kinesis_handler.moving.budget import Budget
from kinesis_handler.moving.copy import Copy
from kinesis_handler.moving.phase import Phase
from kinesis_handler.moving.records import VERIFIED, Standing
from kinesis_handler.moving.verification import Verification
from kinesis_handler.stores import Repository, Table

if TYPE_CHECKING:
    from kinesis_handler.aggregate import Key

MAX_LISTED = 100
"""How many differences are listed: a person reads them."""

_NOT_YET = {
    Standing.LEADS: ": the target by itself when nothing differs",
    Standing.FOLLOWS: ": run it again in a minute",
}

FromUrl = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="URL",
        help="sqlite:///FILE or dynamodb://TABLE?endpoint=URL, in place of what the settings say.",
    ),
]
ToUrl = Annotated[
    str | None,
    typer.Option("--to", metavar="URL", help="Likewise, in place of MIGRATION_TARGET."),
]

app = typer.Typer(no_args_is_help=True)


@app.callback()
def migrate() -> None:
    """Move what is kept from one store to another while events keep flowing."""


@app.command()
def prepare(application_name: ApplicationName = None, source: FromUrl = None, target: ToUrl = None) -> None:
    """Make what the move needs and is not there yet: the target's tables, and those of its notes."""
    with exit_on_error():
        migration = _opened(application_name, source, target)
        for each in migration.source_tables:
            each.check()
        for each in [*migration.target_tables, *migration.ledger_tables]:
            if not each.exists():
                each.create()
                echo(f"made the table {each.name}")
        echo(f"ready to move from {migration.names[0]} to {migration.names[1]}")


@app.command()
def copy(
    application_name: ApplicationName = None,
    source: FromUrl = None,
    target: ToUrl = None,
    segments: Annotated[int, typer.Option(min=1, max=64, help="Parts that are read at once.")] = 4,
    rate: Annotated[
        float | None, typer.Option(metavar="UNITS", min=1, help="Write units a second, at most.")
    ] = None,
) -> None:
    """Copy everything to the target; what is newer there stays as it is.

    Interrupted and run again with as many segments, it goes on where it was.

    The exit status is 0 if the target has all of it now, 1 if not, 2 if it cannot work.
    """
    with exit_on_error():
        migration = _opened(application_name, source, target)
        _check(migration)
        work = Copy(
            migration.source,
            migration.target,
            migration.ledger.records,
            migration.names[0],
            segments=segments,
            budget=Budget(rate) if rate is not None else None,
        )
        counts = work.counts
        try:
            with progress("read", lambda: counts.resumed + counts.seen, lambda: _both(migration)[0]):
                work.run()
        except (KeyboardInterrupt, RepositoryError) as error:
            echo(f"{counts.seen:,} read, and interrupted: the same command goes on from there")
            if isinstance(error, KeyboardInterrupt):
                raise typer.Exit(130) from error
            raise
    told = [f"{counts.written:,} written", f"{counts.kept:,} there already"]
    told += [f"{counts.apart:,} with another history left alone"] if counts.apart else []
    told += [f"{counts.refused:,} refused"] if counts.refused else []
    told += [f"{counts.unreadable:,} cannot be read"] if counts.unreadable else []
    told += [f"{counts.resumed:,} done before"] if counts.resumed else []
    echo(f"{counts.seen:,} read: {', '.join(told)}")
    for key, why in work.refused[:MAX_LISTED]:
        echo(f"refused: {key[0]} {key[1]}: {why}", "red", err=True)
    for why in work.unreadable[:MAX_LISTED]:
        echo(f"cannot be read: {why}", "red", err=True)
    raise typer.Exit(1 if counts.apart or counts.refused or counts.unreadable else 0)


@app.command()
def verify(  # noqa: PLR0913, PLR0917 - a command has as many options as it has
    application_name: ApplicationName = None,
    source: FromUrl = None,
    target: ToUrl = None,
    repair: Annotated[  # noqa: FBT002
        bool, typer.Option("--repair", help="Bring the side that is behind to what is right.")
    ] = False,
    lead: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--lead", help="Repair; if nothing differs then, the target decides alone from now on."),
    ] = False,
    back: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--back", help="Repair; after two of them a minute apart the source may decide again."),
    ] = False,
) -> None:
    """Compare every item of both sides, value by value, and list what differs.

    What differs is looked at several times: while events flow, one side is always a moment ahead.

    The exit status is 0 if nothing differs, or all has been repaired, 1 if not, 2 if it cannot work.
    """
    with exit_on_error():
        migration = _opened(application_name, source, target)
        _check(migration)
        phase = migration.phase() if migration.phase is not None else Phase.SOURCE
        then = _standing(phase, lead=lead, back=back)
        work = Verification(
            migration.source,
            migration.target,
            phase,
            migration.ledger,
            repair=repair or then is not None,
            then=then,
        )
        counts = work.counts
        with progress("read", lambda: counts.scanned, lambda: sum(_both(migration))):
            differences = work.run()
            listed = list(islice(differences, MAX_LISTED))
            more = sum(1 for _ in differences)
        standing = migration.ledger.records.standing()
    for each in listed:
        done = f" ({each.repaired})" if each.repaired else ""
        echo(f"{each.key[0]} {each.key[1]}: {each.what}{done}")
    if more:
        echo(f"… and {more:,} more")
    repaired = f", {counts.repaired:,} repaired" if counts.differ and (repair or then) else ""
    echo(f"{counts.compared:,} compared: {counts.differ:,} differ{repaired}")
    if then is not None:
        echo(f"decides    {who_decides(phase, standing)}" + ("" if standing is then else _NOT_YET[then]))
    raise typer.Exit(1 if counts.differ > counts.repaired else 0)


@app.command()
def status(application_name: ApplicationName = None, source: FromUrl = None, target: ToUrl = None) -> None:
    """Show the phase, what is on both sides, what waits to be repaired, and the steps that are safe now."""
    with exit_on_error():
        migration = _opened(application_name, source, target)
        _check(migration)
        phase = migration.phase() if migration.phase is not None else None
        ledger = migration.ledger
        pending = [sum(1 for _ in each.pending()) for each in (ledger.of_target, ledger.of_source)]
        verified = ledger.records.get(VERIFIED)
        standing = ledger.records.standing()
        counts = _both(migration)
    echo(f"phase      {phase or 'none: MIGRATION_PHASE is not set'}")
    echo(f"decides    {who_decides(phase, standing)}")
    echo(f"source     {migration.names[0]}: {counts[0]:,} items")
    echo(f"target     {migration.names[1]}: {counts[1]:,} items")
    echo(f"repairs    the target lacks {pending[0]:,}, the source {pending[1]:,}")
    if verified is None:
        echo("verified   never")
    else:
        at = datetime.fromtimestamp(verified.updated_at / 1_000, UTC).isoformat(timespec="seconds")
        state = verified.state
        echo(f"verified   {at}: {state.seen:,} compared, {state.left:,} differ")
    for place, how in next_steps(phase, standing, pending[0], verified):
        echo(f"next       {place}: {how}")


def _standing(phase: Phase, *, lead: bool, back: bool) -> Standing | None:
    """Return what the target is to be to the source after a verification; None if that is not to change."""
    if not lead and not back:
        return None
    if lead and back:
        raise ConfigurationError("--lead and --back are two directions: say one of them")
    if phase is not Phase.DUAL_READ_TARGET:
        name = "--lead" if lead else "--back"
        raise ConfigurationError(f"{name} is for the phase dual-read-target; it is {phase}")
    return Standing.LEADS if lead else Standing.FOLLOWS


def _opened(application_name: str | None, source: str | None, target: str | None) -> Migration:
    application = load_application(application_name)
    if application.migration is None:
        raise ConfigurationError(f"--app is {application_name!r}, which cannot be moved")
    return application.migration(source, target)


def _check(migration: Migration) -> None:
    for each in migration.tables:
        each.check()


def _both(migration: Migration) -> tuple[int, int]:
    """Say how many items there are on either side."""
    return (
        _items(migration.source, migration.source_tables),
        _items(migration.target, migration.target_tables),
    )


def _items(side: Repository[Any], tables: Sequence[Table]) -> int:
    """Say how many items there are: a table counts them itself, every few hours; a file is read."""
    if not tables:
        unreadable: dict[Key, UnreadableError] = {}
        return sum(1 for _ in side.scan(on_unreadable=unreadable.__setitem__)) + len(unreadable)
    return sum(count for each in tables if isinstance(count := each.describe().get("items"), int))
