"""The verdict on a run: a line for each difference from the ledger."""

import json
from collections.abc import Collection, Iterator

from kinesis_handler import Key
from kinesis_handler.quarantine.contents import read_contents, waiting_in
from kinesis_handler.stores import Repository
from simulation import ledger
from simulation.bank import Account
from simulation.ledger import Book
from simulation.world import World


def differences(world: World) -> list[str]:
    """Return a line for each difference."""
    texts = [each.text for each in world.events if not each.is_damaged]
    rejected = {
        name: {event for reader, event in world.troubles.rejecting if reader == name}
        for name in ("accounts", "journal")
    }
    return [
        *world.problems,
        *_of_books("accounts", world.move.deciding, ledger.accounts(texts, rejected["accounts"])),
        *_of_books("journal", world.journal, ledger.journal(texts, rejected["journal"])),
        *(f"still parked: {each}" for each in world.parked_keys()),
        *_of_quarantine(world),
        *world.move.differences(),
    ]


def _of_books(name: str, repository: Repository[Account], expected: dict[Key, Book]) -> Iterator[str]:
    # A key whose events were all rejected may have left a vacant aggregate.
    stored = {
        each.key: (each.version, list(each.state.movements) if each.state is not None else None)
        for each in repository.scan_stored()
        if each.version
    }
    for key in sorted(expected.keys() | stored.keys()):
        book = expected.get(key)
        right = (book.version, book.movements) if book is not None else None
        if stored.get(key) != right:
            yield f"{name} {'/'.join(key)}: expected {right}, stored {stored.get(key)}"


def _of_quarantine(world: World) -> Iterator[str]:
    """Compare what waits with what was rejected: no more, no less."""
    waiting = waiting_in([read_contents(world.quarantine)])
    found: set[str] = set()
    broken = 0
    for each in waiting.values():
        if each.entry.event_id is None or each.entry.event_type is None:
            broken += 1
        else:
            found.add(each.entry.event_id)
    expected = {event for _, event in world.troubles.rejecting}
    taken = {
        "accounts": {"MOVED", "CLOSED"},
        "journal": {"MOVED", "PAID"},
    }
    types = {event["eventId"]: event["type"] for event in _events(world, expected)}
    expected = {event for name, event in world.troubles.rejecting if types[event] in taken[name]}
    for event in sorted(expected - found):
        yield f"quarantine: {event} was rejected, and is not there"
    for event in sorted(found - expected):
        yield f"quarantine: {event} waits, and nothing is wrong with it"
    damaged = sum(each.is_damaged for each in world.events)
    if broken != damaged:
        yield f"quarantine: {broken} damaged records, expected {damaged}"


def _events(world: World, ids: Collection[str]) -> Iterator[dict[str, str]]:
    for each in world.events:
        if each.failing:
            event = json.loads(each.text)
            if event["eventId"] in ids:
                yield event
