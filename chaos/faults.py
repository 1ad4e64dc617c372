"""Faults, and when they occur: outages that start with a batch and end, as real ones do.

An outage ends after a minute or two, or after a number of faults. The retries of a mapping last longer, and
longer than it takes to park an event, so no record may be given up. Between two outages nothing fails but
single events that are broken. Other handlers and redrives may interrupt at any time.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from random import Random
from threading import Lock


class Fault(StrEnum):
    """Kinds of fault, with the names under which they are reported."""

    THROTTLED = "request throttled"
    STATEMENTS_THROTTLED = "some statements of a request throttled"
    UNPROCESSED = "some keys of a request left unprocessed"
    UNREACHABLE = "table out of reach"
    ERROR_BEFORE = "500, nothing done"
    ERROR_AFTER = "500, though all was done"
    STATEMENTS_ERROR_BEFORE = "500 for some statements, not done"
    STATEMENTS_ERROR_AFTER = "500 for some statements, though done"
    CUT_BEFORE = "connection cut before the request arrived"
    CUT_AFTER = "connection cut when all was done"
    TIMEOUT = "time-out when all was done"
    INCOMPLETE = "answer that has lost its end"
    PROCESSOR = "processor fails at an event"
    QUARANTINE_DOWN = "quarantine down"
    QUARANTINE_UNSURE = "quarantine keeps, and fails to say so"
    NOT_INVOKED = "invocation fails before the handler begins"
    LITTLE_TIME = "invocation with little time left"
    KILLED = "invocation killed in the middle of a request"
    ANSWER_LOST = "invocation done, and its answer lost"
    SECOND = "second handler comes in between"
    STALE = "stale handler goes on with an old batch"
    BROKEN = "event fails until it is mended"
    REDRIVE = "redrive at any moment"
    REDRIVE_STALE = "redrive held up while batches are delivered"
    REDRIVE_KILLED = "redrive killed in the middle of a request"


Rates = Mapping[Fault, float]
"""Probability of each fault where it can occur."""

CALM: Rates = {}

_THROTTLING = {Fault.THROTTLED: 0.3, Fault.STATEMENTS_THROTTLED: 0.3, Fault.UNPROCESSED: 0.3}
_OUT_OF_REACH = {Fault.UNREACHABLE: 0.5, Fault.CUT_BEFORE: 0.4}
_BAD_LINE = {Fault.CUT_BEFORE: 0.1, Fault.CUT_AFTER: 0.15, Fault.TIMEOUT: 0.15, Fault.INCOMPLETE: 0.15}
_SERVER_ERRORS = {
    Fault.ERROR_BEFORE: 0.15,
    Fault.ERROR_AFTER: 0.15,
    Fault.STATEMENTS_ERROR_BEFORE: 0.25,
    Fault.STATEMENTS_ERROR_AFTER: 0.25,
}
_PROCESSOR = {Fault.PROCESSOR: 0.1}
_QUARANTINE = {Fault.QUARANTINE_DOWN: 0.4, Fault.QUARANTINE_UNSURE: 0.4}
_INVOCATIONS = {
    Fault.NOT_INVOKED: 0.15,
    Fault.LITTLE_TIME: 0.3,
    Fault.KILLED: 0.4,
    Fault.ANSWER_LOST: 0.2,
}
_CAUSES: tuple[Rates, ...] = (
    _THROTTLING,
    _OUT_OF_REACH,
    _BAD_LINE,
    _SERVER_ERRORS,
    _PROCESSOR,
    _QUARANTINE,
    _INVOCATIONS,
)
OUTAGES: tuple[Rates, ...] = (
    *_CAUSES,
    {fault: rate / 4 for cause in _CAUSES for fault, rate in cause.items()},  # all at the same time
)

OUTAGE_RATE = 0.6
"""Probability that an outage starts with a batch, if there is none."""
LONGEST_OUTAGE = 120
"""Longest outage, in seconds."""
FEWEST_FAULTS, MOST_FAULTS = 5, 25


class FaultPlan:
    """Decides when there is an outage, draws faults, and counts them.

    Args:
        seed: seed of the run.
        clock: seconds.
    """

    def __init__(self, seed: int, clock: Callable[[], float]) -> None:
        self.injected: Counter[Fault] = Counter(dict.fromkeys(Fault, 0))
        self.outages = 0
        self._clock = clock
        self._random = Random(f"{seed}/weather")
        self._deck: list[Rates] = []
        self._rates = CALM
        self._ends_at = 0.0
        self._ends_after = 0
        self._lock = Lock()

    @property
    def rates(self) -> Rates:
        """Probability of each fault at this moment."""
        return self._rates if self._clock() < self._ends_at else CALM

    def calm_down(self) -> None:
        """End the outage, if there is one."""
        self._rates = CALM

    def batch_begins(self) -> None:
        """Start an outage, perhaps. Each kind occurs once before one is repeated."""
        if self.rates is not CALM or self._random.random() >= OUTAGE_RATE:
            return
        if not self._deck:
            self._deck = self._random.sample(OUTAGES, len(OUTAGES))
        self._rates = self._deck.pop()
        self.outages += 1
        self._ends_at = self._clock() + self._random.uniform(10, LONGEST_OUTAGE)
        self._ends_after = self.injected.total() + self._random.randint(FEWEST_FAULTS, MOST_FAULTS)

    def delivery_begins(self) -> None:
        """End the outage after enough faults.

        It never ends during a delivery: which thread's request is the last to fail would not be repeatable.
        """
        if self.injected.total() >= self._ends_after:
            self._rates = CALM

    def strikes(self, fault: Fault, random: Random) -> bool:
        """Draw whether a fault occurs, and count it if so."""
        rate = self.rates.get(fault, 0)
        strikes = rate > 0 and random.random() < rate
        if strikes:
            self.count(fault)
        return strikes

    def count(self, fault: Fault) -> None:
        """Count a fault that has occurred."""
        with self._lock:
            self.injected[fault] += 1
