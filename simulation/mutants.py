"""Rules of the product, broken on purpose: the simulation has to find each of them.

    python -m simulation.mutants

tries seed after seed with each, and writes into results.json which one found it.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from kinesis_handler import aggregate, fold, parking, projection, release
from kinesis_handler.batch import Batch
from kinesis_handler.outcome import APPLIED, Status
from kinesis_handler.recipients import Recipients
from kinesis_handler.stores.memory import MemoryRepository
from simulation import pages
from simulation.application import Name
from simulation.run import case_of, run
from simulation.seeds import be_quiet
from user_limits import limit
from user_limits.processor import UserLimitEventProcessor

EVENTS, MOST_SEEDS = 1_000, 100

Broken = Callable[[Any], Any]


class Mutant(Struct, frozen=True):
    """A rule that is broken.

    Args:
        where: the class or module.
        name: of the function in it.
        broken: makes the broken function out of it.
        application: that is simulated.
    """

    where: Any
    name: str
    broken: Broken
    application: Name = "bank"


def _loses_writes(save: Any) -> Any:
    calls = count(1)
    return lambda self, changes: save(self, changes[1:] if next(calls) % 5 == 0 else changes)


def _overwrites(save: Any) -> Any:
    def broken(self: Any, changes: Any) -> Any:
        stored = self.load([change.key for change in changes]).stored()
        return save(self, [replace(each, before=stored.get(each.key)) for each in changes])

    return broken


def _goes_on_after_a_failure(_: Any) -> Any:
    def broken(known: Any, key: Any, events: Any, rules: Any) -> Any:
        outcomes = []
        for each in events:
            known, [outcome] = fold.fold(known, key, [each], rules)
            outcomes.append(outcome)
        return known, outcomes

    return broken


def _forgets_ids(_: Any) -> Any:
    def broken(known: Any, key: Any, events: Any, rules: Any) -> Any:
        forgetful = replace(known, recent_event_ids=()) if known is not None else None
        after, outcomes = fold.fold(forgetful, key, events, rules)
        return known if after is forgetful else after, outcomes

    return broken


def _behind_is_applied(_: Any) -> Any:
    def broken(known: Any, _note: Any, event: Any, rules: Any, _parking: Any) -> Any:
        after, [outcome] = fold.fold(known, known.key, [event], rules)
        return after, outcome

    return broken


def _quarantine_is_skipped(_: Any) -> Any:
    return lambda _self, _outcomes: None


def _handed_to_all(_: Any) -> Any:
    return lambda _self, _record: None


def _failed_is_applied(not_saved: Any) -> Any:
    def broken(outcomes: Any, error: Any) -> Any:
        return [APPLIED if each.status is Status.FAILED else each for each in not_saved(outcomes, error)]

    return broken


MUTANTS = {
    "a store loses a write": Mutant(MemoryRepository, "save", _loses_writes),
    "a store writes without its condition": Mutant(MemoryRepository, "save", _overwrites),
    "what could not be saved is acknowledged": Mutant(projection, "not_saved", _failed_is_applied),
    "a repeat without a number is applied": Mutant(parking, "fold", _forgets_ids),
    "an event behind a failed one is applied": Mutant(parking, "fold", _goes_on_after_a_failure),
    "an event behind a parked one is applied": Mutant(parking, "_behind", _behind_is_applied),
    "the note's end is not looked at": Mutant(
        aggregate.Parked, "covers", lambda _: lambda _self, _position, _number: False
    ),
    "what waits is not counted at a release": Mutant(release, "_waiting", lambda _: lambda *_args: 1_000),
    "a redriven record is handed to all": Mutant(Recipients, "_of", _handed_to_all),
    "what is rejected or parked is put into the quarantine late": Mutant(
        Batch, "quarantine", _quarantine_is_skipped
    ),
    "no event is a snapshot": Mutant(
        UserLimitEventProcessor, "is_snapshot", lambda _: lambda _self, _event, _state: False, "limits"
    ),
    "another currency is taken": Mutant(limit, "_check_currency", lambda _: lambda *_args: None, "limits"),
}
"""What is broken, by what that means."""


@contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """Break the rule for a while."""
    original = getattr(mutant.where, mutant.name)
    setattr(mutant.where, mutant.name, mutant.broken(original))
    try:
        yield
    finally:
        setattr(mutant.where, mutant.name, original)


def found_by(mutant: Mutant, most: int = MOST_SEEDS) -> int | None:
    """Return how many seeds it takes to find a mutant; None if so many do not."""
    with applied(mutant):
        for seed in range(most):
            if run(case_of(seed, EVENTS, mutant.application)).differences:
                return seed + 1
    return None


def main() -> None:
    """Try all broken rules, and write into simulation/results.json how many seeds each took."""
    argparse.ArgumentParser(prog="python -m simulation.mutants", description=main.__doc__).parse_args()
    be_quiet()
    known = pages.read()
    known["mutants"] = {}
    for what, mutant in MUTANTS.items():
        seeds = found_by(mutant)
        sys.stdout.write(f"{seeds if seeds is not None else 'not found':>9}  {what}\n")
        known["mutants"][what] = seeds if seeds is not None else f"none of {MOST_SEEDS}"
    pages.FILE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
