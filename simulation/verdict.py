"""The verdict on a run: a line for each difference from the oracle."""

from bisect import bisect_right
from collections.abc import Iterator

from simulation.application import described, expected
from simulation.operator import waiting_records
from simulation.oracle.ledger import Arrived, Ledger
from simulation.stores import Stores
from simulation.world import World


def differences(world: World) -> list[str]:
    """Return a line for each difference, and count in the world what was compared."""
    arrived = list(_arrived(world))
    ledgers = {
        name: Ledger(
            rules,
            arrived,
            world.troubles.rejected_by(name),
            {day: parked[name] for day, parked in world.parked_on.items()},
        )
        for name, rules in world.application.rules.items()
    }
    stores = world.stores
    return [
        *world.tally.problems,
        *(line for name, ledger in ledgers.items() for line in _of_states(world, name, ledger)),
        *_of_notes(stores, ledgers),
        *_of_quarantine(world, ledgers),
        *stores.move.differences(),
    ]


def _arrived(world: World) -> Iterator[Arrived]:
    """Yield the events, those of a key in their order, each with the day on which it was settled."""
    for shard in world.shards:
        settled = [each[shard.name] for each in world.days]
        for index, sent in enumerate(shard.sent):
            day = bisect_right(settled, index)
            for each in sent:
                if not each.is_damaged:
                    yield Arrived(world.application.read_event(each.data), day)


def _of_states(world: World, name: str, ledger: Ledger) -> Iterator[str]:
    # A key whose events were all rejected may have left a vacant aggregate.
    stored = {
        each.key: described(world.application, each)
        for each in world.stores.deciding()[name].scan_stored()
        if each.version
    }
    books = ledger.at_last(len(world.days))
    right = {key: expected(book) for key, book in books.items() if book.version}
    world.tally.checked["aggregates"] += len(right)
    world.tally.checked["events in them"] += sum(book[0] for book in right.values())
    for key in sorted(right.keys() | stored.keys()):
        if stored.get(key) != right.get(key):
            yield f"{name} {'/'.join(key)}: expected {right.get(key)}, stored {stored.get(key)}"


def _of_notes(stores: Stores, ledgers: dict[str, Ledger]) -> Iterator[str]:
    for name, parked in stores.parked().items():
        waiting = ledgers[name].waiting()
        for key in sorted(parked ^ waiting.keys()):
            what = "parked, and all of it can be applied" if key in parked else "not parked"
            yield f"{name} {'/'.join(key)}: {what}"


def _of_quarantine(world: World, ledgers: dict[str, Ledger]) -> Iterator[str]:
    """Compare what waits with what was rejected and what is parked: no more, no less."""
    waiting = waiting_records(world.stores.quarantine)
    rejected = {each.event_id for each in waiting if each.is_rejected and each.event_id is not None}
    parked = {each.event_id for each in waiting if each.is_parked and each.event_id is not None}
    to_reject = {event for ledger in ledgers.values() for event in ledger.rejected}
    to_park = {event for ledger in ledgers.values() for ids in ledger.waiting().values() for event in ids}
    world.tally.checked["rejected"] += len(to_reject)
    world.tally.checked["waiting"] += len(to_park)
    for event in sorted(to_reject - rejected):
        yield f"quarantine: {event} was rejected, and is not there"
    for event in sorted(to_park - parked):
        yield f"quarantine: {event} is parked, and is not there"
    for event in sorted((rejected - to_reject) | (parked - to_park - to_reject)):
        yield f"quarantine: {event} waits, and nothing is wrong with it"
    broken = sum(each.event_id is None for each in waiting)
    damaged = sum(each.is_damaged for each in world.events)
    world.tally.checked["damaged"] += damaged
    if broken != damaged:
        yield f"quarantine: {broken} damaged records, expected {damaged}"
