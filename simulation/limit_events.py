"""The stream of user limits: synthetic users, with the flaws of real ones."""

import json
from collections import defaultdict, deque
from random import Random
from typing import Any

from simulation.stream import DAMAGED, Sent, packed
from testkit.synthetic_users import SyntheticUsers

EVENTS_PER_USER = 60
EVENTS_PER_FAILURE = 300
"""One event of a user with troubles in so many fails until it is mended, on the average."""
REPEATED, LATE, BROKEN = 0.05, 0.02, 0.005
"""Part of the events that the producer sends twice, too late, or damaged."""
FOREIGN, OTHER_CURRENCY, INEXACT = 0.01, 0.005, 0.003
"""Part of the events that nobody here takes, are in another currency, or lead to too many digits."""
UNSEEN = 0.3
"""Part of the limits whose first events left the stream before the first reader came."""
WITHOUT_FIGURES, LOST, FEWEST_USERS = 0.6, 0.02, 7
"""Part of the changes that do not carry all figures, and of the events that are missing; the fewest users."""
REMEMBERED = 8
"""How many events back the producer may send one twice: aggregates know more than these."""
BEGIN = 1_700_000_000_000

Fields = dict[str, Any]


def is_troubled(user_id: str) -> bool:
    """Return whether some events of a user fail until they are mended.

    Such a user has no event that comes too late: whether it then counted would depend on what is rejected in
    the end.
    """
    return user_id[-1] in "13579"


def events_of(seed: int, count: int) -> list[Sent]:
    """Generate events."""
    random = Random(f"{seed}/limits")
    producer = _Producer(random, seed, count)
    return packed(random, count, (producer.send(number) for number in range(count)))


class _Producer:
    """Sends what synthetic users do, some of it twice, too late, in part, damaged, or not at all."""

    def __init__(self, random: Random, seed: int, count: int) -> None:
        self._random = random
        self._users = SyntheticUsers(seed, max(FEWEST_USERS, count // EVENTS_PER_USER))
        self._failing = 1 / (EVENTS_PER_FAILURE * random.choice((0.25, 1, 4)))
        self._left_out: dict[str, int] = {}
        """How many more events of each limit have left the stream."""
        self._numbered: dict[str, bool] = {}
        self._recent: dict[str, deque[Sent]] = defaultdict(lambda: deque(maxlen=REMEMBERED))

    def send(self, number: int) -> Sent:
        """Send an event: a new one, most often."""
        random, draw = self._random, self._random.random
        user, event = self._fact(number)
        drawn = draw()
        recent = self._recent[user]
        if drawn < REPEATED and recent:
            return recent[int(draw() * len(recent))]
        if drawn > 1 - BROKEN:
            return Sent(user, random.choice(list(DAMAGED)))
        sent = Sent(user, json.dumps(event, separators=(",", ":")))
        if is_troubled(user) and draw() < self._failing:
            failing = random.choice((("limits",), ("activity",), ("limits", "activity")))
            sent = Sent(user, sent.text, failing, rejects=draw() < 0.2)
        recent.append(sent)
        return sent

    def _fact(self, number: int) -> tuple[str, Fields]:
        """Return the next event that is still on the stream, with its flaws, and its user."""
        draw = self._random.random
        while True:
            made = self._users.event(BEGIN + 1_000 * number)
            limit = made.key[1]
            if limit not in self._left_out:
                self._left_out[limit] = int(draw() * 6) + 1 if draw() < UNSEEN else 0
            if self._left_out[limit]:
                self._left_out[limit] -= 1
            elif draw() >= LOST:
                break
        user, event = made.partition_key, json.loads(made.data)
        event["eventId"] = f"e{number}"
        if not self._numbered.setdefault(user, draw() < 0.6):
            del event["sequenceNumber"]
        elif not is_troubled(user) and draw() < LATE:
            event["sequenceNumber"] -= int(draw() * 6_000)
        self._flaw(event, troubled=is_troubled(user))
        return user, event

    def _flaw(self, event: Fields, *, troubled: bool) -> None:
        """Take some figures out of an event, or make it one that is refused, rejected or ignored."""
        draw, payload = self._random.random, event["payload"]
        drawn = draw()
        is_change = event["type"] == "USER_LIMIT_PROGRESS_CHANGED"
        if drawn < FOREIGN:
            event["type"] = "LIMIT_USER_CREATED"
        elif drawn < FOREIGN + OTHER_CURRENCY / (10 if troubled else 1):
            payload["currencyCode"] = "SEK"
        elif drawn < FOREIGN + OTHER_CURRENCY + INEXACT and is_change:
            payload |= {"previousProgress": "100", "amount": "1E-37"}
        elif is_change and draw() < WITHOUT_FIGURES:
            for name in self._random.choice((["previousProgress"], ["remainingAmount"], ["currencyCode"])):
                del payload[name]
        elif event["type"] == "USER_LIMIT_RESET":
            if draw() < 0.5:
                payload |= {"type": "BET", "period": "DAY"}
            else:
                del payload["unusedAmount"]
        elif event["type"] == "USER_LIMIT_CREATED" and draw() < 0.5:
            del payload["progress"]
