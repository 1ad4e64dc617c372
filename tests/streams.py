"""Random streams of user limits' events, and the oracle: what one clean pass over them leads to."""

import gzip
from collections.abc import Iterator
from decimal import localcontext
from typing import Any

from hypothesis import strategies as st
from msgspec import Struct
from msgspec.json import decode, encode

from aggregates import aggregate
from kinesis_handler import Event, Key, RejectedError, Remarked
from kinesis_handler.event import EventDecoder
from kinesis_handler.record import LambdaRecord, unpack
from user_limits.events import EVENT_TYPES, EXACT
from user_limits.limit import Limit, apply

LIMITS = [("anna", "deposit"), ("anna", "loss"), ("ben", "bet")]
UNNUMBERED = "bet"
"""The events of this limit have no sequence number: a producer numbers an aggregate's events, or does not."""

GARBAGE = [
    b"",
    b"{",
    b"\xff",
    b"[]",
    b'{"eventId": "x"}',
    b'{"eventId":"x","type":"FOREIGN","createdAt":1,"payload":{}}',
]

AMOUNTS = st.sampled_from(["0", "10", "12.50", "99.99", "100"])


@st.composite
def payloads(draw: st.DrawFn, *, may_fail: bool) -> tuple[str, dict[str, Any]]:
    """Draw a type and a payload; one that may fail needs a limit that may not be known."""
    kind = draw(
        st.sampled_from(["created", "reset", *(["progress"] * 3 + ["partial reset"] if may_fail else [])])
    )
    currency = draw(st.sampled_from(["EUR"] * 9 + ["SEK"])) if may_fail else "EUR"
    if kind == "created":
        return "USER_LIMIT_CREATED", {"value": draw(AMOUNTS), "currencyCode": currency}
    if kind == "progress":
        optional = st.fixed_dictionaries(
            {}, optional={"previousProgress": AMOUNTS, "remainingAmount": AMOUNTS}
        )
        return "USER_LIMIT_PROGRESS_CHANGED", {
            "amount": draw(st.sampled_from(["1", "-5", "12.50"])),
            "currencyCode": currency,
            **draw(optional),
        }
    whole = {"type": "DEPOSIT", "period": "DAY", "resetAmount": draw(AMOUNTS), "unusedAmount": draw(AMOUNTS)}
    return "USER_LIMIT_RESET", {"currencyCode": currency, **(whole if kind == "reset" else {})}


@st.composite
def events(draw: st.DrawFn, *, may_fail: bool = True) -> list[bytes]:
    """Draw a stream: new events, stale ones, repeats by the producer, foreign and broken ones."""
    stream: list[bytes] = []
    highest = dict.fromkeys(LIMITS, 10)
    for place in range(draw(st.integers(1, 24))):
        what = draw(st.sampled_from(["new"] * 7 + ["stale", "repeat", "repeat", "garbage"]))
        if what == "garbage":
            stream.append(draw(st.sampled_from(GARBAGE)))
            continue
        if what == "repeat" and stream:
            stream.append(draw(st.sampled_from(stream)))
            continue
        user, limit = draw(st.sampled_from(LIMITS))
        known = any(limit.encode() in event for event in stream)
        event_type, payload = draw(payloads(may_fail=may_fail and (known or draw(st.integers(0, 3)) == 0)))
        event = {
            "eventId": f"e{place}",
            "type": event_type,
            "createdAt": 1_700_000_000_000 + place,
            "payload": {"userId": user, "userLimitId": limit, **payload},
            "aggregateId": user,
        }
        if limit != UNNUMBERED:
            step = draw(st.integers(-3, 0)) if what == "stale" else draw(st.integers(1, 3))
            event["sequenceNumber"] = highest[user, limit] + step
            highest[user, limit] = max(highest[user, limit], highest[user, limit] + step)
        stream.append(encode(event))
    return stream


@st.composite
def packed(draw: st.DrawFn, stream: list[bytes]) -> list[tuple[str, bytes]]:
    """Pack a stream into (partition key, data) of records: plain, gzipped, or some in an aggregate."""
    records: list[tuple[str, bytes]] = []
    left = list(stream)
    while left:
        how = draw(st.sampled_from(["plain", "plain", "gzip", "aggregate"]))
        count = draw(st.integers(1, 4)) if how == "aggregate" else 1
        part, left = left[:count], left[count:]
        if how == "aggregate":
            records.append(("aggregate", aggregate((_partition_key(event), None, event) for event in part)))
        else:
            records.append((_partition_key(part[0]), gzip.compress(part[0]) if how == "gzip" else part[0]))
    return records


def _partition_key(event: bytes) -> str:
    try:
        return str(decode(event)["aggregateId"])
    except (ValueError, KeyError, TypeError):
        return "-"


class Expected(Struct):
    """What a limit comes to."""

    limit: Limit
    version: int = 0
    number: int = -1
    position: tuple[int, int] = (-1, 0)
    ids: list[str] = []


class Oracle:
    """One clean pass, written as plainly as can be: an event at a time, into a dictionary.

    A record whose event fails is given up after its retries, with what comes behind that event for the
    same limit in the same record; everything else goes on.
    """

    def __init__(self, records: list[LambdaRecord]) -> None:
        self.limits: dict[Key, Expected] = {}
        self.given_up: list[str] = []
        self.user_records = 0
        for record in records:
            failed: set[Key] = set()
            for event in self._events(record):
                key = (event.payload.user_id, event.payload.user_limit_id)
                if key not in failed and not self._take(key, event):
                    failed.add(key)
            if failed:
                self.given_up.append(record["kinesis"]["sequenceNumber"])

    def _events(self, record: LambdaRecord) -> Iterator[Event[Any]]:
        decoder = EventDecoder()
        decoder.register(EVENT_TYPES)
        for each, content in unpack([record]):
            self.user_records += 1
            event = decoder.decode(each, content) if isinstance(content, bytes) else content
            if isinstance(event, Event) and event.type in EVENT_TYPES:
                yield event

    def _take(self, key: Key, event: Event[Any]) -> bool:
        """Apply an event if it is new; tell whether it is done with."""
        known = self.limits.get(key)
        if known is not None:
            if event.sequence_number is not None:
                if event.sequence_number <= known.number:
                    return True
            elif event.id in known.ids[-16:] or event.record.position <= known.position:
                return True
        try:
            with localcontext(EXACT):
                result = apply(known.limit if known else None, event)
        except RejectedError:
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
            [*known.ids, event.id],
        )
        return True
