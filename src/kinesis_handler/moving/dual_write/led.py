"""One side decides, and the other one follows.

A load brings up whoever is behind before it hands a key out, for it may be that a write was done on the one
side, its answer lost, and nothing of it written to the other one: the event that comes again changes nothing.
"""

from collections.abc import Collection, Sequence
from typing import Generic, TypeVar

from kinesis_handler.aggregate import Key
from kinesis_handler.moving.agreement import Agreement, agree, settle
from kinesis_handler.moving.dual_write.follower import APART, Follower
from kinesis_handler.moving.dual_write.sides import OneSide, bring_up, hand_out
from kinesis_handler.moving.phase import Side
from kinesis_handler.moving.records import Standing
from kinesis_handler.stores import Change, Loaded, Saved

State = TypeVar("State")


class Led(Generic[State]):
    """Two sides, of which one decides.

    Args:
        leader: the one that does.
        follower: the other one. What it lacks is noted; an event fails for it only if that fails too.
    """

    def __init__(self, leader: OneSide[State], follower: Follower[State]) -> None:
        self._leader = leader
        self._follower = follower

    def load(self, keys: Collection[Key], loaded: Loaded[State]) -> Collection[Key]:
        """Load what can be loaded; return the keys that have to be looked at once more."""
        here = self._leader.load(keys)
        loaded.failed |= here.failed
        readable = [key for key in keys if key not in here.failed]
        there = self._follower.load(readable)
        lacking = {key: str(why) for key, why in there.failed.items()}
        agreed = {
            key: self._agree(here, there, key) if key not in lacking else Agreement(here.found.get(key))
            for key in readable
        }
        lacking |= {key: APART for key, each in agreed.items() if each.apart}
        saved = self._leader.save_too(bring_up(self._leader.side, agreed, here))
        loaded.failed |= saved.failed
        lacking |= self._follower.bring_up(bring_up(self._follower.side, agreed, there))
        loaded.failed |= self._follower.note(lacking)
        hand_out(agreed, saved.conflicts, loaded)
        return saved.conflicts

    def save(self, changes: Sequence[Change[State]]) -> Saved:
        """Save on the side that decides, and on the other one what it took."""
        saved = self._leader.save(changes)
        taken = [each for each in changes if each.key not in saved.conflicts and each.key not in saved.failed]
        saved.failed |= self._follower.note(self._follower.bring_up(taken))
        return saved

    def _agree(self, here: Loaded[State], there: Loaded[State], key: Key) -> Agreement[State]:
        if self._leader.side is Side.SOURCE:
            return agree(here.found.get(key), there.found.get(key), source_decides=True)
        source, target = there.found.get(key), here.found.get(key)
        agreement = agree(source, target, source_decides=False)
        return settle(source, target, Standing.LEADS) if agreement.open else agreement
