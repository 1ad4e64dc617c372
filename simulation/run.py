"""One run, and its result."""

import time
from collections import Counter

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from simulation.application import APPLICATIONS, Name
from simulation.faults import Fault, Place
from simulation.stores import MakeRepository, in_memory
from simulation.stream import Sent
from simulation.verdict import differences
from simulation.world import World


class Case(Struct, kw_only=True, frozen=True):
    """A run: it is repeated exactly by these and the code.

    Args:
        seed: of everything that is drawn.
        application: what is simulated.
        events: what the producer sends.
        faults: those that occur; None to draw them.
    """

    seed: int
    application: Name = "bank"
    events: tuple[Sent, ...]
    faults: dict[Place, Fault] | None = None


class Report(Struct, kw_only=True):
    """What a run has come to."""

    case: Case
    events: int
    differences: list[str]
    struck: dict[Place, Fault]
    outcomes: Counter[str]
    checked: Counter[str]
    seconds: float

    @property
    def replayed(self) -> Case:
        """The case with the faults that occurred, in place of those that its seed draws."""
        return replace(self.case, faults=self.struck)

    def without_events(self) -> "Report":
        """Return the report without what its seed says anyway."""
        return replace(self, case=replace(self.case, events=()))


def case_of(seed: int, count: int, application: Name = "bank") -> Case:
    """Return the case of a seed."""
    events = tuple(APPLICATIONS[application].events_of(seed, count))
    return Case(seed=seed, application=application, events=events)


def run(case: Case, make_repository: MakeRepository = in_memory) -> Report:
    """Run a case, and compare with the oracle."""
    began = time.process_time()
    world = World(case.seed, APPLICATIONS[case.application], case.events, case.faults, make_repository)
    world.run()
    found = differences(world)
    return Report(
        case=case,
        events=len(case.events),
        differences=found,
        struck=world.plan.struck,
        outcomes=world.tally.outcomes,
        checked=world.tally.checked,
        seconds=time.process_time() - began,
    )


def write_case(case: Case) -> bytes:
    """Write a case as JSON, a line for each event and fault."""
    return msgspec.json.format(msgspec.json.encode(case), indent=1)


def read_case(content: bytes) -> Case:
    """Read a case. Raises msgspec.ValidationError if it is none."""
    return msgspec.json.decode(content, type=Case)
