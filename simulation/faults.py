"""Faults, where they can occur, and the plan of those that do."""

from bisect import bisect
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from itertools import accumulate
from random import Random


class Fault(StrEnum):
    """Kinds of fault, and of what else comes in between, with the names under which they are reported."""

    STORE_FAILS = "store fails, nothing done"
    STORE_FAILS_PARTLY = "store fails for some keys"
    STORE_UNSURE = "store writes, and fails to say so"
    STORE_DOWN = "store down for a while"
    CONFLICTS = "store reports conflicts that are none"
    QUARANTINE_FAILS = "quarantine fails, nothing kept"
    QUARANTINE_UNSURE = "quarantine keeps, and fails to say so"
    PROCESSOR = "processor fails at an event"
    NOT_INVOKED = "invocation fails before the handler begins"
    LITTLE_TIME = "invocation with little time left"
    ANSWER_LOST = "invocation done, and its answer lost"
    KILLED = "handler killed"
    SECOND = "second handler takes the same records"
    EARLIER = "stale handler takes earlier records"
    HELD_UP = "handler held up while the stream goes on"
    REWIND = "checkpoint lost, earlier records delivered again"
    OTHER_SHARD = "another shard goes on in between"
    REDRIVE = "redrive"
    REMOVAL = "finished objects removed from the quarantine"
    MEND = "cause of a failing event mended"
    PHASE = "move takes a step, or one handler sees it"
    COPY = "copy to the other store"
    REBUILD = "rebuild into new stores, or the switch to them"
    EXPIRED = "all that is stored expires"


Place = str
"""Where something occurs: a kind of moment, and how many of these came before, such as `save 12`."""

_MEANWHILE = {
    Fault.KILLED: 4,
    Fault.SECOND: 3,
    Fault.EARLIER: 2,
    Fault.OTHER_SHARD: 3,
    Fault.PHASE: 3,
    Fault.REDRIVE: 0.3,
    Fault.REMOVAL: 0.3,
}
_KEEPING = {Fault.KILLED: 30, Fault.SECOND: 20, Fault.EARLIER: 10, Fault.REDRIVE: 5, Fault.REMOVAL: 5}

RATES: dict[str, dict[Fault, float]] = {
    "load": {
        Fault.STORE_FAILS: 5,
        Fault.STORE_FAILS_PARTLY: 10,
        Fault.STORE_DOWN: 1,
        **_MEANWHILE,
    },
    "loaded": _MEANWHILE,
    "save": {Fault.STORE_FAILS: 5, Fault.STORE_FAILS_PARTLY: 10, Fault.CONFLICTS: 10, **_MEANWHILE},
    "saved": {Fault.STORE_UNSURE: 15, **_MEANWHILE},
    "keep": {Fault.QUARANTINE_FAILS: 30, **_KEEPING},
    "kept": {Fault.QUARANTINE_UNSURE: 30, **_KEEPING},
    "apply": {Fault.PROCESSOR: 0.1},
    "invoke": {Fault.NOT_INVOKED: 20, Fault.LITTLE_TIME: 30, Fault.ANSWER_LOST: 20},
    "turn": {
        Fault.REDRIVE: 30,
        Fault.REMOVAL: 10,
        Fault.MEND: 100,
        Fault.PHASE: 30,
        Fault.COPY: 10,
        Fault.HELD_UP: 100,
        Fault.REWIND: 10,
        Fault.REBUILD: 4,
        Fault.EXPIRED: 60,
    },
}
"""Kinds of moment, and how often each fault occurs at a thousand of them."""

LEFT_OUT = 0.25
"""Part of the faults that a seed leaves out."""
EXPIRING = 0.25
"""Part of the seeds in which states expire. There no store is rebuilt: it would have what has expired."""


def expires(seed: int) -> bool:
    """Return whether states expire in the run of a seed, if they may."""
    return Random(f"{seed}/expires").random() < EXPIRING


class Plan:
    """Draws which fault occurs at a moment, or takes it from a list; notes those that occur.

    Each seed leaves out some kinds, so that the others are seen without them.

    Args:
        seed: of the run.
        only: the faults that occur; None to draw them.
        may_expire: whether what is stored may expire.
    """

    def __init__(
        self, seed: int, only: Mapping[Place, Fault] | None = None, *, may_expire: bool = True
    ) -> None:
        random = Random(f"{seed}/plan")
        self.struck: dict[Place, Fault] = {}
        """The faults that occurred."""
        self.is_off = False
        """Whether nothing occurs any more."""
        self.seed = seed
        """Of the run."""
        self._only = only
        self._draw = random.random
        self._counts: Counter[str] = Counter()
        left_out = {fault for fault in Fault if random.random() < LEFT_OUT}
        self.expires = may_expire and expires(seed)
        """Whether what is stored expires."""
        left_out.add(Fault.REBUILD if self.expires else Fault.EXPIRED)
        factor = random.choice((0.3, 0.6, 1.5)) / 1_000
        self._faults: dict[str, tuple[list[Fault], list[float]]] = {}
        self._rates: dict[str, float] = {}
        for moment, rates in RATES.items():
            left = {fault: rate * factor for fault, rate in rates.items() if fault not in left_out}
            self._faults[moment] = list(left), list(accumulate(left.values()))
            self._rates[moment] = sum(left.values())

    def at(self, moment: str) -> Fault | None:
        """Return what occurs at this moment, if anything does."""
        if self.is_off:
            return None
        number = self._counts[moment]
        self._counts[moment] = number + 1
        if self._only is None:
            drawn = self._draw()
            fault = self._drawn(moment, drawn) if drawn < self._rates[moment] else None
        else:
            fault = self._only.get(f"{moment} {number}")
        if fault is not None:
            self.struck[f"{moment} {number}"] = fault
        return fault

    def _drawn(self, moment: str, drawn: float) -> Fault:
        faults, shares = self._faults[moment]
        return faults[bisect(shares, drawn, hi=len(faults) - 1)]

    def random(self) -> Random:
        """Return random numbers for the fault that occurred last: they do not depend on other faults."""
        return Random(f"{self.seed}/{next(reversed(self.struck))}")
