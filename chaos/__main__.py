"""The command: `python -m chaos`."""

import argparse
import os
import secrets
import sys
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chaos.report import command, print_report
from chaos.run import EVENTS, SHARDS, Options, Report, run
from kinesis_handler import configure_logging
from testkit.arguments import positive
from testkit.emulators.dynamodb_local import dynamodb_local
from testkit.emulators.local_settings import use_local_settings
from testkit.emulators.npm_package import EmulatorError

PLAIN_WIDTH = 120


def main() -> None:
    """Inject failures around the handler, reproducibly from a seed, and compare with a failure-free run."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=main.__doc__)
    parser.add_argument("--events", type=positive, default=EVENTS, help="default: %(default)s")
    parser.add_argument("--shards", type=positive, default=SHARDS, help="default: %(default)s")
    parser.add_argument("--seed", type=int, help="seed of the run to repeat; default: a new one")
    parser.add_argument("--endpoint", help="endpoint of a running DynamoDB Local; default: start one")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else secrets.randbelow(10**9)
    options = Options(seed, given.events, given.shards)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, PLAIN_WIDTH)
    console.print(f"seed {seed}: {options.events:,} events on {options.shards} shards", style="bold")
    console.print()
    use_local_settings()
    try:
        report = _run(options, given.endpoint)
    except EmulatorError as error:
        sys.exit(str(error))
    except BaseException:
        console.print(f"It was cut short. Again: {command(options)}", style="bold red")
        raise
    print_report(console, report)
    sys.exit(1 if report.differences else 0)


def _run(options: Options, endpoint: str | None) -> Report:
    """Run, and show the progress on a terminal."""
    console = Console(stderr=True)
    columns = TextColumn("events"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with ExitStack() as stack:
        # One line per failed record would hide everything else, and takes time to write.
        nowhere = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        configure_logging("chaos", "error", nowhere)
        found = endpoint or stack.enter_context(dynamodb_local())
        progress = stack.enter_context(
            Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        )
        task = progress.add_task("events", total=options.events)
        return run(options, found, lambda events: progress.advance(task, events))


if __name__ == "__main__":
    main()
