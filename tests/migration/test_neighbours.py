"""Writers in neighbouring phases, interrupting each other between any two calls: no update is lost."""

from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migration.writers import DUAL, Fleet


def run(random: Random, moves: list[str]) -> None:
    fleet = Fleet(random, faults=4, interruptions=20)
    for move in moves:
        if move == "m":
            fleet.move()
        else:
            random.choice(fleet.writers).turn()
    fleet.settle()
    if fleet.phase in DUAL:
        fleet.check()
        assert fleet.stored(fleet.source) == fleet.stored(fleet.target)
    decides = fleet.target if fleet.phase.reads_target else fleet.source
    stored = fleet.stored(decides)
    for key, entry in fleet.acknowledged:
        assert stored[key].state.entries.count(entry) == 1
    for aggregate in stored.values():
        assert len(set(aggregate.state.entries)) == len(aggregate.state.entries)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0), length=st.integers(10, 80))
def test_writers_that_see_the_phase_change_at_different_moments_lose_no_update(
    seed: int, length: int
) -> None:
    random = Random(seed)
    run(random, random.choices("wwwm", k=length))
