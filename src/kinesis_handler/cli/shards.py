"""Shows the live table of `consume`: a row for each shard."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from kinesis_handler.cli.console import plain_table, standard_error, styled
from kinesis_handler.cli.tally import Tally
from kinesis_handler.local.stream.progress import ShardProgress, State
from kinesis_handler.outcome import Status

REFRESHES_PER_SECOND = 2
WINDOW = 5.0
"""Seconds over which a rate is measured."""

_STYLES = {
    State.READING: "green",
    State.FAILED: "bold red",
    State.STOPPED: "yellow",
    State.LEASE_LOST: "yellow",
}


@contextmanager
def live(progress: Mapping[str, ShardProgress], tallies: Mapping[str, Tally]) -> Iterator[None]:
    """Show the progress of each shard while the block runs, on a terminal only."""
    console = standard_error()
    if not console.is_terminal:
        yield
        return
    lines = ShardTable(progress, tallies)
    with Live(
        console=console,
        get_renderable=lines.table,
        refresh_per_second=REFRESHES_PER_SECOND,
        vertical_overflow="ellipsis",
    ):
        yield


class ShardTable:
    """Builds the table, at each refresh, from what the threads have written."""

    def __init__(self, progress: Mapping[str, ShardProgress], tallies: Mapping[str, Tally]) -> None:
        self._progress = progress
        self._tallies = tallies
        self._seen: dict[str, list[tuple[float, int]]] = {}

    def table(self) -> Table:
        """Return a table with a row for each shard: state, rate, age of its records, failures."""
        words, numbers = ("shard", "state"), ("records", "a second", "age", "behind", "failed")
        table = plain_table(
            *(Column(heading, no_wrap=True) for heading in words),
            *(Column(heading, justify="right", no_wrap=True) for heading in numbers),
            "",
        )
        now = time.monotonic()
        for shard_id, each in list(self._progress.items()):
            tally = self._tallies.get(shard_id)
            failed = tally.outcomes[Status.FAILED] if tally is not None else 0
            table.add_row(
                shard_id,
                Text(each.state, _STYLES.get(each.state, "dim")),
                f"{each.records:,}",
                f"{self._rate(shard_id, each.records, now):,.0f}",
                span(each.age),
                span(each.behind_ms / 1_000) if each.behind_ms else "",
                Text(f"{failed:,}" if failed else "", "red"),
                styled(each.problem, "yellow"),
            )
        return table

    def _rate(self, shard_id: str, records: int, now: float) -> float:
        """Return the records a second over the last seconds."""
        seen = self._seen.setdefault(shard_id, [])
        seen.append((now, records))
        while len(seen) > 2 and seen[1][0] <= now - WINDOW:  # noqa: PLR2004 - the two ends of the window
            del seen[0]
        (begun, before), (at, after) = seen[0], seen[-1]
        return (after - before) / (at - begun) if at > begun else 0.0


def span(seconds: float | None) -> str:
    """Write a time span in its largest unit."""
    if seconds is None:
        return ""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
