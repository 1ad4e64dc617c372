"""What may come on a stream and should not: near to valid, or near to nothing."""

from typing import Any

from hypothesis import strategies as st
from msgspec.json import encode

from fuzz.facts import LIMIT
from fuzz.samples import (
    CREATED,
    EVENTS,
    PAYLOADS,
    aggregated,
    field,
    gzipped,
    key_in_table,
    sealed,
    user_record,
)

# Values, written as JSON or as what is nearly JSON.

NOT_JSON = b"""NaN Infinity -Infinity nan 01 +1 .5 1. 1e -- 0x10 'a' "a tru {,} [1,] {"a"} "\\x" "\\ud800"
"\\udc00\\ud800" "\xff" "\xc0\x80" "\xed\xa0\x80" "\xf5\x80\x80\x80" "\x00" \xef\xbb\xbf1 // /**/""".split()
NUMBERS = b"""0 -0 -1 0.0 -0.0 1.0 1.5 1e0 1E2 1e-2 1e38 1e39 1e125 1e126 1e-130 1e-131 0e-400 0E999999
1e400 -1e400 1e999999 -1e999999 1E-400 1e-999999 1e999999999999999999999
123456789012345678901234567890123456789 9223372036854775807 9223372036854775808 -9223372036854775809
18446744073709551616 253402300800000""".split()
OTHERS = [b"null", b"true", b"false", b"[]", b"{}", b'""', b'"\\u0000"', b'"\\ud83d\\ude00"', b"9" * 10_000]
ODD_NUMBERS = b"""NaN -NaN sNaN sNaN123 Infinity -inf 1_000 _1 1,5 1. .5 +1 +-1 --1 0x1 1e 1e+ 1E-400 1e999999
0E-400 0e999999 -0 -0E+9 1e99999999999999999999 1e-99999999999999999999 1e125 1e126 00.10""".split()
DECIMALS = [
    *map(bytes.decode, ODD_NUMBERS),
    *("", " ", " 1\n", "1\0", "\uff11\uff12", "\u0663.\u0661", "\u22121", "1\u00a0", "\u00bd", "\u4e00"),
    *("9" * 38, "9" * 39, "0" * 10_000 + "1", "9" * 10_000, "0." + "0" * 10_000 + "1", "1" + "0" * 10_000),
]

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda them: st.lists(them, max_size=3) | st.dictionaries(st.text(max_size=5), them, max_size=3),
    max_leaves=6,
)
ODD_VALUES = [*NUMBERS, *OTHERS, *NOT_JSON, *map(encode, DECIMALS)]
LARGE_VALUES = [
    b"[" * 10_000 + b"]" * 10_000,
    b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    b"[" * 900 + b"]" * 900,
    b'"' + b"a" * 1_000_000 + b'"',
    b'"' + b"a" * 1_000_000 + "\U0001f600".encode() + b'"',
]
values = st.one_of(
    st.sampled_from(ODD_VALUES),
    st.sampled_from(ODD_VALUES),
    st.sampled_from(range(len(LARGE_VALUES))).map(LARGE_VALUES.__getitem__),
    st.decimals().map(str).map(encode),
    json_values.map(encode),
    st.integers().map(lambda number: str(number).encode()),
    st.binary(max_size=10),
)

# Events: a valid one of each type, with one thing changed.


def written(fields: dict[str, object]) -> bytes:
    """Write an object, of values as they are."""
    items = (encode(name) + b":" + (v if isinstance(v, bytes) else encode(v)) for name, v in fields.items())
    return b"{" + b",".join(items) + b"}"


def event_with(kind: str, name: str, value: bytes, number: int) -> list[bytes]:
    """Return an event of a limit of its own, with this value of a field, behind what makes the limit."""
    own: dict[str, object] = {"eventId": f"evt-{number}", "sequenceNumber": 2}
    limit = {"userLimitId": f"limit-{number}"}
    created = EVENTS[CREATED] | own | {"sequenceNumber": 1, "payload": PAYLOADS[CREATED] | limit}
    envelope, payload = EVENTS[kind] | own, PAYLOADS[kind] | limit
    if name in payload:
        return [encode(created), written(envelope | {"payload": written(payload | {name: value})})]
    return [encode(created), written(envelope | {"payload": written(payload)} | {name: value})]


@st.composite
def near_valid_fields(draw: st.DrawFn) -> bytes:
    """Draw an event with a field dropped, given another value, given twice, or renamed."""
    kind = draw(st.sampled_from(list(EVENTS)))
    envelope, payload = dict(EVENTS[kind]), dict(PAYLOADS[kind])
    part = draw(st.sampled_from([envelope, payload, payload]))
    name = draw(st.sampled_from(list(part)))
    before = b""
    match draw(st.sampled_from(["drop", "value", "value", "value", "twice", "rename", "add"])):
        case "drop":
            del part[name]
        case "value":
            part[name] = draw(values)
        case "twice":
            before = encode(name) + b":" + draw(values) + b","
        case "rename":
            part[draw(st.text(max_size=5) | st.just(name.upper()))] = part.pop(name)
        case "add":
            part[draw(st.text(max_size=5))] = draw(values)
    inner = written(payload)
    if part is payload:
        envelope["payload"] = inner[:1] + before + inner[1:]
        return written(envelope)
    if "payload" in envelope and name != "payload":
        envelope["payload"] = inner
    whole = written(envelope)
    return whole[:1] + before + whole[1:]


def in_another_encoding(content: bytes, encoding: str) -> bytes:
    return content.decode().encode(encoding)


def with_changed_byte(content: bytes, at: int, byte: int) -> bytes:
    at %= len(content)
    return content[:at] + bytes([byte]) + content[at + 1 :]


def with_inserted(content: bytes, at: int, what: bytes) -> bytes:
    at %= len(content)
    return content[:at] + what + content[at:]


def cut_short(content: bytes, at: int) -> bytes:
    return content[: at % len(content)]


valid_events = st.sampled_from([encode(event) for event in EVENTS.values()])
anywhere = st.integers(0, 10_000)
ENCODINGS = ["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp037", "utf-7"]
damaged_events = st.one_of(
    st.builds(in_another_encoding, valid_events, st.sampled_from(ENCODINGS)),
    st.builds(with_changed_byte, valid_events, anywhere, st.integers(0, 255)),
    st.builds(with_inserted, valid_events, anywhere, values),
    st.builds(cut_short, valid_events, anywhere),
    st.builds(lambda one, other: one + other, valid_events, values | valid_events),
    st.builds(lambda event: b" \t\r\n" + event + b"\n", valid_events),
    valid_events.map(lambda event: b"[" + event + b"]"),
    valid_events.map(lambda event: encode(event.decode())),
    valid_events,
)
# Not `|`, which would give each way of damage the same share as all the fields.
near_valid_events = st.sampled_from([near_valid_fields(), damaged_events]).flatmap(lambda each: each)

# Aggregates, and what is in gzip.

BOMB = gzipped(bytes(20 * LIMIT))


@st.composite
def near_valid_gzip(draw: st.DrawFn) -> bytes:
    """Draw gzip of an event: whole, cut, changed, followed by something, of several members, a bomb."""
    content = gzipped(draw(near_valid_events))
    return draw(
        st.sampled_from(
            [content] * 9 + [content + b"\0" * 9, content + content, gzipped(content), BOMB, BOMB + content]
        )
        | st.builds(cut_short, st.just(content), anywhere)
        | st.builds(with_changed_byte, st.just(content), anywhere, st.integers(0, 255))
        | st.builds(lambda behind: content + behind, st.binary(max_size=10))
    )


parts = st.one_of(
    near_valid_events,
    near_valid_gzip(),
    st.binary(max_size=20),
    st.just(b""),
    st.builds(aggregated, near_valid_events),
)
indices = st.sampled_from([0, 0, 0, 1, 2, 3, 127, 2**31, 2**63, 2**64 - 1, 2**64, 2**70])
table_entries = st.binary(max_size=5) | st.sampled_from([b"", b"key", b"\xff", b"k" * 1_000])
odd_pieces = st.one_of(
    st.builds(user_record, indices, parts),
    st.builds(key_in_table, table_entries),
    st.builds(
        field, st.integers(0, 9) | st.integers(0, 2**64), st.integers(0, 2**65) | st.binary(max_size=20)
    ),
    st.builds(field, st.just(3), st.binary(max_size=10)),
    st.binary(max_size=10),
)
messages = st.builds(
    lambda table, before, odd, behind: table + b"".join([*before, odd, *behind]),
    st.sampled_from([key_in_table(b"key")] * 3 + [b""]),
    st.lists(st.builds(user_record, st.just(0), parts), max_size=3),
    odd_pieces | st.just(b""),
    st.lists(st.builds(user_record, st.just(0), parts), max_size=3),
)
"""Of an aggregate: with one thing in it that should not be there, or nothing at all."""

near_valid_aggregates = st.one_of(
    messages.map(sealed),
    messages.map(sealed),
    st.builds(cut_short, messages.filter(bool), anywhere).map(sealed),
    st.builds(with_changed_byte, messages.filter(bool), anywhere, st.integers(0, 255)).map(sealed),
    messages.map(sealed).map(gzipped),
    messages.map(sealed).map(sealed),
    st.sampled_from([0, 1, 300, 5_000]).map(lambda count: aggregated(*[b""] * count)),
)
whole = aggregated(*map(encode, EVENTS.values()))
aggregates_with_wrong_checksum = st.one_of(
    st.builds(lambda end: whole[:-16] + end, st.binary(min_size=16, max_size=16)),
    st.builds(lambda at: whole[: 4 + at % (len(whole) - 4)], anywhere),
    st.builds(
        lambda at, bit: with_changed_byte(
            whole, 4 + at % (len(whole) - 4), whole[4 + at % (len(whole) - 4)] ^ 1 << bit
        ),
        anywhere,
        st.integers(0, 7),
    ),
)

arbitrary = st.builds(
    lambda magic, rest: magic + rest,
    st.sampled_from([b"", b"{", b"\x1f\x8b", b"\x1f\x8b\x08\0\0\0\0\0\0\x03", b"\xf3\x89\x9a\xc2"]),
    st.binary(max_size=200),
)
odd_base64 = st.text(max_size=20) | st.sampled_from(
    ["e30", "e30=\n", "ey-_", "====", "e30=e30=", "\U0001f600"]
)

data_of_all_kinds = st.lists(
    arbitrary
    | odd_base64
    | near_valid_events
    | near_valid_gzip()
    | near_valid_aggregates
    | aggregates_with_wrong_checksum,
    max_size=8,
)
