"""`load`: events of synthetic users, at a given rate, through the handler or onto a real stream."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated

import typer
from rich.live import Live

from kinesis_handler.application import Application
from kinesis_handler.cli.application import (
    ApplicationName,
    StoreUrl,
    exit_on_error,
    load_application,
)
from kinesis_handler.cli.console import echo_json, standard_error, standard_output
from kinesis_handler.cli.report import print_summary
from kinesis_handler.cli.signals import ended_by_signals
from kinesis_handler.cli.times import parse_span
from kinesis_handler.local.stream.stop import Stop, Stopped
from testkit.load.run import LoadRun, ages_text
from testkit.load.target import RealStream, ShardInMemory, Target
from testkit.synthetic_users import SyntheticUsers


def load(  # noqa: PLR0913, PLR0917 - one for each option of the command
    rate: Annotated[int, typer.Option(min=1, max=100_000, help="Events per second.")] = 1_000,
    span: Annotated[str, typer.Option("--for", metavar="TIME", help="Duration: 60s, 10m, 1h.")] = "60s",
    stream: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A real stream, its name or its ARN, instead of one in memory."),
    ] = None,
    users: Annotated[int, typer.Option(min=1, max=1_000_000, help="Number of users.")] = 1_000,
    seed: Annotated[int, typer.Option(help="The same seed generates the same users and events.")] = 1,
    application_name: ApplicationName = None,
    store: StoreUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")] = False,  # noqa: FBT002
) -> None:
    """Send events of synthetic users at a given rate, and show how old they are when they have been applied.

    In memory the events go through the handler in this process. With --stream they are put onto a stream, and
    some are looked up in the store of the stream's readers: name that store by --store. A few users have most
    events, by Zipf's law. Age is measured from the scheduled send time, even if the sender falls behind.

    It ends if the store does not accept the events. Ctrl-C or SIGTERM end it too, after the current events.

    The exit status is 0 if nothing failed, 1 if something failed, 2 if the command cannot work.
    """
    with exit_on_error():
        seconds = parse_span("--for", span)
        application = load_application(application_name, store)
        application.check()
        stop = Stop()
        target = _target(application, stream, stop)
        run = LoadRun(SyntheticUsers(seed, users), target, rate, sleep=stop.pause, is_over=stop.is_set)
        with ended_by_signals(stop.set), _live(run), suppress(Stopped):
            run.run(seconds)
            target.finish()
    if as_json:
        echo_json(run.figures())
    else:
        _print(run, target)
    raise typer.Exit(1 if target.failed() else 0)


def _target(application: Application, stream: str | None, stop: Stop) -> Target:
    if stream is None:
        return ShardInMemory(application, stop)
    from kinesis_handler.local.stream.client import kinesis_client  # noqa: PLC0415 - only a real stream needs the SDK
    from kinesis_handler.local.stream.writer import StreamWriter  # noqa: PLC0415

    client = kinesis_client(default_region=application.default_region)
    writer = StreamWriter(client, stream, stop.pause)
    return RealStream(writer, application.views[0].repository, sleep=stop.pause)


@contextmanager
def _live(run: LoadRun) -> Iterator[None]:
    console = standard_error()
    if not console.is_terminal:
        yield
        return
    with Live(console=console, get_renderable=run.line, refresh_per_second=2, transient=True):
        yield


def _print(run: LoadRun, target: Target) -> None:
    console = standard_output()
    rate = run.sent / run.seconds if run.seconds else 0.0
    console.print(f"{run.sent:,} events in {run.seconds:,.1f} s, {rate:,.0f} a second · {ages_text(target)}")
    if isinstance(target, ShardInMemory):
        print_summary(target.tally)
        return
    figures = target.figures()
    console.print(
        f"{figures['put']:,} put, {figures['refused']:,} refused", style="red" if figures["refused"] else None
    )
    if figures["unseen"]:
        console.print(
            f"{figures['unseen']:,} of {figures['seen'] + figures['unseen']:,} that were looked for were not "
            "in the store after a minute: is it that of those who read the stream?",
            style="yellow",
        )
