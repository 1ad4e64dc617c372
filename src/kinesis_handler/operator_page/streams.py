"""Reads what the processes that consume have stored: how far each shard is, and what they report."""

from collections.abc import Iterable, Sequence

from msgspec import UNSET

from kinesis_handler.local.minutes import Report
from kinesis_handler.local.stream.checkpoint import Checkpoint, goes_on, is_shard
from kinesis_handler.local.stream.checkpoint_store import Row
from kinesis_handler.local.stream.claim import CLAIM, LOST_AFTER, described
from kinesis_handler.operator_page.documents import Shard, Source, Stream, shown
from kinesis_handler.stores import Repository


def read_streams(repository: Repository[Checkpoint], now: int) -> tuple[list[Stream], list[Source]]:
    """Return the streams that are read into a store, and the processes that report.

    Args:
        repository: the checkpoints.
        now: milliseconds since epoch.

    Raises RepositoryError if they cannot be read.
    """
    rows: dict[str, dict[str, Row]] = {}
    for row in repository.scan():
        stream, name = row.key
        rows.setdefault(stream, {})[name] = row
    streams, sources = [], []
    for stream, of_stream in sorted(rows.items()):
        claim = of_stream.get(CLAIM)
        is_read = claim is not None and not claim.state.ended
        is_silent = claim is not None and is_read and now - claim.updated_at > LOST_AFTER * 1_000
        streams.append(
            Stream(
                stream=shown(stream),
                read_by=shown(described(claim.state.owner)) if claim is not None and is_read else "",
                seen_at=claim.updated_at if claim is not None else None,
                is_silent=is_silent,
                shards=_shards(row for name, row in of_stream.items() if is_shard(name)),
            )
        )
        if claim is not None and claim.state.report is not UNSET:
            process = shown(described(claim.state.owner))
            sources.append(
                source_of(
                    claim.state.report,
                    process,
                    claim.updated_at,
                    stream=shown(stream),
                    is_over=claim.state.ended,
                    is_silent=is_silent,
                )
            )
    return streams, sources


def source_of(  # noqa: PLR0913 - as many as a source has
    report: Report,
    process: str,
    reported_at: int,
    *,
    stream: str = "",
    is_over: bool = False,
    is_silent: bool = False,
) -> Source:
    """Return a report as a document."""
    return Source(
        process=process,
        stream=stream,
        reported_at=reported_at,
        is_over=is_over,
        is_silent=is_silent,
        begin=report.begin,
        outcomes=report.outcomes,
        ages=report.ages,
    )


def _shards(rows: Iterable[Row]) -> Sequence[Shard]:
    shards = [
        Shard(
            shard=shown(row.key[1]),
            goes_on=goes_on(row.state),
            arrived=row.state.arrived_at,
            behind_ms=None if row.state.behind_ms is UNSET else row.state.behind_ms,
            moved=row.updated_at,
            has_ended=row.state.ended,
        )
        for row in rows
    ]
    return sorted(shards, key=lambda each: (each.has_ended, each.shard))
