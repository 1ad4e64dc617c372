"""Says what a quarantine holds: the waiting records by their reasons, and what else there is. Pure."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from kinesis_handler.quarantine.contents import Contents, done_in
from kinesis_handler.quarantine.entry import Entry


class Group(Struct, frozen=True):
    """Waiting records with one reason: their number, and the arrival of the first and the last."""

    error: str
    reason: str
    records: int
    first: str
    last: str


def grouped(entries: Iterable[Entry]) -> list[Group]:
    """Return a group for each reason, the largest first."""
    groups: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        groups.setdefault((entry.error, entry.reason), []).append(entry.arrived_at or "unknown")
    found = [Group(*why, len(times), min(times), max(times)) for why, times in groups.items()]
    return sorted(found, key=lambda group: (-group.records, group.error, group.reason))


def done_sentence(contents: Sequence[Contents]) -> str:
    """Return how many more records there are that are done with; empty if there are none."""
    done = len(done_in(contents))
    return f"{done:,} more {'is' if done == 1 else 'are'} done with" if done else ""


def unfetched_in(contents: Sequence[Contents]) -> list[str]:
    """Return what is on the stream only, a sentence for each document that does not carry its records."""
    documents = (each.info for some in contents for each in some.unfetched.values())
    records = (
        (f"{each.batch_size:,} records of {each.shard_id}", each.start_sequence_number) for each in documents
    )
    return [f"{some} from {number} are on the stream only" for some, number in records]
