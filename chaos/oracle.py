"""The oracle: what one clean pass over a shard leads to.

Written as plainly as can be, an event at a time, into a dictionary. Of the engine it takes what reads an
event, and of the application what an event does to a limit; the rule of once and in order it has for itself.
"""

from collections.abc import Iterable, Iterator
from decimal import localcontext
from typing import Any

from msgspec import Struct

from kinesis_handler import Event, Key, RejectedError, Remarked
from kinesis_handler.errors import ProcessingError
from kinesis_handler.event import EventDecoder
from kinesis_handler.record import LambdaRecord, Record, unpack
from user_limits.events import EVENT_TYPES, EXACT
from user_limits.limit import Limit, apply


class Expected(Struct):
    """What a limit comes to. `ids` are those of the last 16 events, oldest first."""

    limit: Limit
    version: int = 0
    number: int = -1
    position: tuple[int, int] = (-1, 0)
    ids: tuple[str, ...] = ()


class Oracle:
    """One clean pass over the records of a shard.

    A record whose event fails is given up after its retries, with what comes behind that event for the
    same limit in the same record; everything else goes on.
    """

    def __init__(self, records: Iterable[LambdaRecord]) -> None:
        self.limits: dict[Key, Expected] = {}
        self.given_up: list[str] = []
        """Sequence numbers of the records that can never succeed, and are not rejected either."""
        self.rejected: dict[tuple[str, int], str] = {}
        """Sequence and sub-sequence number of each user record to be rejected → the data that carried it."""
        self.user_records = 0
        self._decoder = EventDecoder()
        self._decoder.register(EVENT_TYPES)
        for record in records:
            failed: set[Key] = set()
            for event in self._events(record):
                key = (event.payload.user_id, event.payload.user_limit_id)
                if key not in failed and not self._take(key, event):
                    failed.add(key)
            if failed:
                self.given_up.append(record["kinesis"]["sequenceNumber"])

    def _events(self, source: LambdaRecord) -> Iterator[Event[Any]]:
        for record, content in unpack([source]):
            self.user_records += 1
            event = self._decoder.decode(record, content) if isinstance(content, bytes) else content
            if isinstance(event, ProcessingError):
                self._reject(record)
            elif event.type in EVENT_TYPES:
                yield event

    def _take(self, key: Key, event: Event[Any]) -> bool:
        """Apply an event if it is new; tell whether it is done with."""
        known = self.limits.get(key)
        if known is not None:
            if event.sequence_number is not None:
                if event.sequence_number <= known.number:
                    return True
            elif event.id in known.ids or event.record.position <= known.position:
                return True
        try:
            with localcontext(EXACT):
                result = apply(known.limit if known else None, event)
        except RejectedError:
            self._reject(event.record)
            return True
        except Exception:  # noqa: BLE001 - what fails is given up
            return False
        limit = result.state if isinstance(result, Remarked) else result
        known = known or Expected(limit)
        self.limits[key] = Expected(
            limit,
            known.version + 1,
            known.number if event.sequence_number is None else event.sequence_number,
            event.record.position,
            (*known.ids, event.id)[-16:],
        )
        return True

    def _reject(self, record: Record) -> None:
        data = record.source["kinesis"]["data"]
        self.rejected[record.sequence_number, record.sub_sequence_number] = data
