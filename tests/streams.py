"""Random streams of user limits' events."""

import gzip
from typing import Any

from hypothesis import strategies as st
from msgspec.json import decode, encode

from aggregates import aggregate

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

MORE: st.SearchStrategy[dict[str, Any]] = st.sampled_from([{}, {}, {"brandId": "b"}, {"nextResetTime": 5}])
"""What any event of a limit may carry."""
DEFINITION: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {},
        {},
        {"name": "n", "type": "BET", "period": "WEEK", "status": "FUTURE", "progress": "12.50"},
        {"activeFrom": 1, "activeUntil": 2, "previousLimitValue": "10"},
    ]
)
"""What a CREATED may carry."""


@st.composite
def payloads(draw: st.DrawFn, *, may_fail: bool) -> tuple[str, dict[str, Any]]:
    """Draw a type and a payload; one that may fail needs a limit that may not be known."""
    kind = draw(
        st.sampled_from(["created", "reset", *(["progress"] * 3 + ["partial reset"] if may_fail else [])])
    )
    currency = draw(st.sampled_from(["EUR"] * 9 + ["SEK"])) if may_fail else "EUR"
    more = {"currencyCode": currency, **draw(MORE)}
    if kind == "created":
        return "USER_LIMIT_CREATED", {"value": draw(AMOUNTS), **more, **draw(DEFINITION)}
    if kind == "progress":
        figures = st.fixed_dictionaries(
            {}, optional={"previousProgress": AMOUNTS, "remainingAmount": AMOUNTS}
        )
        amount = draw(st.sampled_from(["1", "-5", "12.50"]))
        return "USER_LIMIT_PROGRESS_CHANGED", {"amount": amount, **more, **draw(figures)}
    whole = {"type": "DEPOSIT", "period": "DAY", "resetAmount": draw(AMOUNTS), "unusedAmount": draw(AMOUNTS)}
    return "USER_LIMIT_RESET", {**more, **(whole if kind == "reset" else {})}


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
