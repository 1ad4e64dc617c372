"""Says how often each guarantee was tried, from the figures of runs. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from simulation.faults import Fault

_AGAIN = (Fault.SECOND, Fault.EARLIER, Fault.HELD_UP, Fault.REWIND)


def checks_of(runs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return a sentence for each guarantee.

    Args:
        runs: the documents of figures, whose sums are taken.
    """
    faults, outcomes, checked = (_sum(runs, part) for part in ("faults", "outcomes", "checked"))
    lost = faults[Fault.STORE_UNSURE]
    others = sum(faults[each] for each in _AGAIN)
    rejected = checked["rejected"] + checked["damaged"]
    return {
        "G1": f"{checked['records']:,} records had one outcome each, in {checked['batches']:,} batches",
        "G2": f"{checked['aggregates']:,} aggregates, of {checked['events in them']:,} events in their order",
        "G3": f"{outcomes['duplicate'] + outcomes['superseded']:,} events that had come before came again",
        "G4": f"{checked['answers']:,} responses that name failed records",
        "G5": f"{rejected:,} rejected records, each found in the quarantine, and no other",
        "G6": f"{faults[Fault.LITTLE_TIME]:,} invocations with little time left",
        "G7": f"{others:,} second, stale and suspended handlers; {faults[Fault.PHASE]:,} steps of a move",
        "G8": f"{lost:,} requests to write of which the answer was lost",
        "G9": f"{outcomes['failed']:,} outcomes *failed*, and each shard was read to its end",
        "G10": f"{outcomes['parked']:,} outcomes *parked*; {faults[Fault.REDRIVE]:,} redrives in between",
    }


def _sum(runs: Sequence[Mapping[str, Any]], part: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for each in runs:
        total.update(each[part])
    return total
