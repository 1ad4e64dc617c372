"""Reads what the processes that consume have stored: how far each shard is, and what they report."""

from collections.abc import Iterable

from msgspec import UNSET

from kinesis_handler.local.stream.checkpoint import Checkpoint, goes_on, is_shard
from kinesis_handler.local.stream.checkpoint_store import Row
from kinesis_handler.local.stream.claim import CLAIM, LOST_AFTER, described
from kinesis_handler.local.stream.reports import is_report
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
    streams: list[Stream] = []
    sources: list[Source] = []
    for stream, of_stream in sorted(rows.items()):
        readers = [row for name, row in of_stream.items() if name == CLAIM or is_report(name)]
        reading = [row for row in readers if not row.state.ended]
        # Of workers one may have died, and the others have its shards.
        alive = [row for row in reading if not _is_silent(row, now)] or reading
        seen_at = max((row.updated_at for row in readers), default=None)
        shards = [_shard(row) for name, row in of_stream.items() if is_shard(name)]
        shards += [each for row in alive for each in _shards_of_worker(row)]
        streams.append(
            Stream(
                stream=shown(stream),
                read_by=" and ".join(sorted({_process(row) for row in alive})),
                seen_at=seen_at,
                is_silent=bool(alive) and _is_silent(alive[0], now),
                shards=sorted(_latest(shards), key=lambda each: (each.has_ended, each.shard)),
            )
        )
        sources += [
            Source(
                _process(row),
                shown(stream),
                row.updated_at,
                report.begin,
                report.outcomes,
                report.ages,
                is_over=row.state.ended,
                is_silent=_is_silent(row, now),
            )
            for row in readers
            if (report := row.state.report) is not UNSET
        ]
    return streams, sources


def _is_silent(row: Row, now: int) -> bool:
    return not row.state.ended and now - row.updated_at > LOST_AFTER * 1_000


def _process(row: Row) -> str:
    return shown(described(row.state.owner))


def _shard(row: Row) -> Shard:
    return Shard(
        shard=shown(row.key[1]),
        goes_on=goes_on(row.state),
        arrived=row.state.arrived_at,
        behind_ms=None if row.state.behind_ms is UNSET else row.state.behind_ms,
        moved=row.updated_at,
        has_ended=row.state.ended,
    )


def _shards_of_worker(row: Row) -> list[Shard]:
    """Return the shards of a worker, whose checkpoints are in its leases."""
    report = row.state.report
    if report is UNSET or report.shards is UNSET:
        return []
    by_lease = f"by its lease: {_process(row)}"
    return [
        Shard(
            shard=shown(shard),
            goes_on=by_lease,
            arrived=None,
            behind_ms=behind_ms,
            moved=row.updated_at,
            has_ended=False,
        )
        for shard, behind_ms in report.shards.items()
    ]


def _latest(shards: Iterable[Shard]) -> Iterable[Shard]:
    """Return each shard as it was seen last: `consume` may have read it before the workers did."""
    found: dict[str, Shard] = {}
    for each in sorted(shards, key=lambda each: each.moved):
        found[each.shard] = each
    return found.values()
