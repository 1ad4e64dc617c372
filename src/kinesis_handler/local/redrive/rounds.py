"""Sends what waits in quarantines, then what was parked meanwhile; and says what became of it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec.structs import replace

from kinesis_handler.aggregate import Key
from kinesis_handler.local.redrive import Redrive, Result, Verdict
from kinesis_handler.printable import counted
from kinesis_handler.quarantine.contents import Contents, waiting_in
from kinesis_handler.quarantine.entry import Entry, Position
from kinesis_handler.quarantine.groups import Group, grouped

ROUNDS = 10
"""Most times that the quarantine is read again for what was parked while its key was being released."""

Verdicts = Mapping[Position, tuple[Entry, Verdict]]
"""The last verdict on each entry, by its position."""


def redrive_all(
    contents: Sequence[Contents],
    read: Callable[[], Sequence[Contents]],
    chosen: Callable[[Entry], bool],
    send: Callable[[Redrive], Verdicts],
) -> tuple[Verdicts, Sequence[Contents]]:
    """Send the chosen entries; again, while a live handler parks more of their keys.

    Args:
        contents: the contents of the quarantines.
        read: reads them again.
        chosen: tells whether an entry is to be sent.
        send: sends the entries of a redrive.

    Returns:
        The verdicts, and the contents as they were read last.
    """
    verdicts = dict(send(Redrive(contents, chosen)))
    for _ in range(ROUNDS):
        contents = read()
        again = Redrive(contents, chosen, parked_since=verdicts)
        if not again.entries:
            break
        verdicts |= send(again)
    return verdicts, contents


def results_sentence(verdicts: Sequence[tuple[Entry, Verdict]], removed: int = 0) -> str:
    """Return how many records were sent, and what became of them."""
    counts = Counter(verdict.result for _, verdict in verdicts)
    parts = [f"{counts[result]:,} {result}" for result in Result if counts[result]]
    parts += [f"{counted(removed, 'object')} removed"] if removed else []
    records = counted(len(verdicts), "record")
    return f"{records}: {', '.join(parts)}" if parts else f"{records} to send"


def left_of(verdicts: Iterable[tuple[Entry, Verdict]]) -> list[Group]:
    """Return the records that are not done, by what became of them and why."""
    return grouped(
        replace(entry, error=verdict.result, reason=verdict.reason)
        for entry, verdict in verdicts
        if verdict.needs_attention
    )


def parked_for(contents: Sequence[Contents], key: Key) -> list[Entry]:
    """Return the events that wait for a key, in their order."""
    return [each.entry for each in waiting_in(contents).values() if key in each.entry.parked_keys]


def drop_question(key: Key, waiting: int) -> str:
    """Return what is asked before the events of a key are given up."""
    return f"give up {counted(waiting, 'parked event')} of {' '.join(key)}?"


def nothing_waits(key: Key) -> str:
    """Return what is said of a key that has no parked events."""
    return f"nothing waits for {' '.join(key)}"


def dropped_sentence(key: Key, notes: int, records: int) -> str:
    """Return what became of a key whose events were to be given up."""
    if not notes and not records:
        return nothing_waits(key)
    return f"{counted(records, 'event')} dropped, the key goes on"
