"""A seeded producer: in each round a record of every partition key, with all that comes on real streams."""

import gzip
from collections.abc import Iterator
from random import Random
from typing import Any

from msgspec.json import encode

from aggregates import aggregate

LIMITS_PER_USER = 3
RECENT = 10
"""How many of a user's last records its producer may send again."""
BROKEN = [b"", b"{", b"\xff", b"[]", b'{"eventId":"x"}', gzip.compress(b"{}", mtime=0)[:-4]]

Content = tuple[str, bytes]
"""Partition key and data."""


class Producer:
    """Sends the events of some users, each user's by its own partition key.

    Every fourth user's events have no sequence numbers.

    Args:
        seed: what decides.
        users: how many there are.
    """

    def __init__(self, seed: int, users: int) -> None:
        self._random = Random(seed)
        self._users = [_User(number, self._random) for number in range(users)]

    def round(self) -> list[Content]:
        """Return a record of each user."""
        return [(each.user_id, each.record()) for each in self._users]


class _User:
    def __init__(self, number: int, random: Random) -> None:
        self.user_id = f"user-{number}"
        self._random = random
        self._number = 0 if number % 4 else None
        self._events = 0
        self._known: set[str] = set()
        self._sent: list[bytes] = []

    def record(self) -> bytes:
        random = self._random
        if self._sent and random.random() < 0.1:
            return random.choice(self._sent[-RECENT:])
        how = random.random()
        if how < 0.04:
            return random.choice(BROKEN)
        if how < 0.16:
            data = aggregate((self.user_id, None, each) for each in self._several())
        elif how < 0.3:
            data = gzip.compress(self._event(), mtime=0)
        else:
            data = self._event()
        self._sent.append(data)
        return data

    def _several(self) -> Iterator[bytes]:
        for _ in range(self._random.randint(2, 5)):
            yield self._random.choice(BROKEN) if self._random.random() < 0.05 else self._event()

    def _event(self) -> bytes:
        limit = f"limit-{self._random.randrange(LIMITS_PER_USER)}"
        event_type, payload = self._fact(limit)
        self._events += 1
        event = {
            "eventId": f"{self.user_id}-{self._events}",
            "type": event_type,
            "createdAt": 1_700_000_000_000 + self._events,
            "aggregateId": self.user_id,
            "payload": {"userId": self.user_id, "userLimitId": limit, **payload},
        }
        if self._number is not None:
            self._number += self._random.randint(1, 3)
            event["sequenceNumber"] = self._number
        return encode(event)

    def _fact(self, limit: str) -> tuple[str, dict[str, Any]]:
        random = self._random
        amount = f"{random.randrange(10_000) / 100:.2f}"
        if random.random() < 0.04:
            return "LIMIT_USER_CREATED", {}
        if random.random() < 0.01:  # of a limit that no one knows, or in a currency that is not the limit's
            return "USER_LIMIT_PROGRESS_CHANGED", {"amount": amount, "currencyCode": "SEK"}
        if limit not in self._known or random.random() < 0.05:
            self._known.add(limit)
            return "USER_LIMIT_CREATED", {"value": amount, "currencyCode": "EUR"}
        if random.random() < 0.1:
            return "USER_LIMIT_RESET", {"currencyCode": "EUR", "resetAmount": amount, "unusedAmount": "1"}
        return "USER_LIMIT_PROGRESS_CHANGED", {"amount": amount, "currencyCode": "EUR"}
