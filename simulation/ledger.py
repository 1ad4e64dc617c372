"""The ledger: what one clean pass over the events leads to. It shares no code with what it judges."""

import json
from collections.abc import Collection, Iterable
from typing import Any

REMEMBERED_IDS = 16

Key = tuple[str, str]


class Book:
    """What is expected of one key: how many events were applied, and its movements; None if it is closed."""

    def __init__(self) -> None:
        self.version = 0
        self.movements: list[int] | None = None
        self.number = -1
        self.ids: list[str] = []

    def take(self, event: dict[str, Any]) -> None:
        """Apply an event if it is new."""
        number = event.get("sequenceNumber")
        if number is not None and number <= self.number:
            return
        if number is None and event["eventId"] in self.ids[-REMEMBERED_IDS:]:
            return
        self.number = self.number if number is None else number
        self.ids.append(event["eventId"])
        self.version += 1
        if event["type"] == "CLOSED":
            self.movements = None
        else:
            self.movements = [*(self.movements or ()), event["payload"]["number"]]


def accounts(texts: Iterable[str], rejected: Collection[str]) -> dict[Key, Book]:
    """Return the accounts after these events, without those that were rejected in the end, by their ids."""
    books: dict[Key, Book] = {}
    for event in map(json.loads, texts):
        if event["type"] in {"MOVED", "CLOSED"} and event["eventId"] not in rejected:
            payload = event["payload"]
            books.setdefault((payload["customer"], payload["account"]), Book()).take(event)
    return books


def journal(texts: Iterable[str], rejected: Collection[str]) -> dict[Key, Book]:
    """Return the journal after these events, without those that were rejected in the end, by their ids."""
    books: dict[Key, Book] = {}
    for event in map(json.loads, texts):
        if event["type"] in {"MOVED", "PAID"} and event["eventId"] not in rejected:
            payload = event["payload"]
            for account in {payload["account"], payload.get("to", payload["account"])}:
                books.setdefault((payload["customer"], account), Book()).take(event)
    return books
