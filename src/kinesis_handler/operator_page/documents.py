"""What the page shows, as JSON documents. Pure."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from msgspec import Struct

from kinesis_handler.local.redrive.notes import ParkedKey
from kinesis_handler.printable import printable
from kinesis_handler.quarantine.entry import Entry, described, readable
from kinesis_handler.quarantine.groups import Group

MAX_TEXT = 2_000
"""Most characters of a reason."""


class Document(Struct, frozen=True, rename="camel"):
    """A document, whose fields are written in camel case."""


class Source(Document, frozen=True):
    """A process that counts outcomes.

    Args:
        process: which one, in words.
        stream: what it reads; empty if that is no stream.
        reported_at: when it reported last, in milliseconds since epoch.
        begin: the first of the minutes, in minutes since epoch.
        outcomes: of each status that there was, its records in each minute.
        ages: the greatest age of a record in each minute, in milliseconds; -1 where there was none.
        is_over: it has finished.
        is_silent: it has not reported for so long that it seems to have died.
    """

    process: str
    stream: str
    reported_at: int
    begin: int
    outcomes: Mapping[str, Sequence[int]]
    ages: Sequence[int]
    is_over: bool = False
    is_silent: bool = False


class Shard(Document, frozen=True):
    """How far a shard has been read.

    Args:
        shard: its id.
        goes_on: where reading goes on, in words.
        arrived: when the last record before that arrived, in milliseconds since epoch, if that is known.
        behind_ms: how far behind its tip the last read ended, in milliseconds, if that is known.
        moved: when its checkpoint was moved last, in milliseconds since epoch.
        has_ended: it was closed, and all of it has been read.
    """

    shard: str
    goes_on: str
    arrived: int | None
    behind_ms: int | None
    moved: int
    has_ended: bool


class Stream(Document, frozen=True):
    """A stream that is read into the store.

    Args:
        stream: its ARN, and when it was made.
        read_by: the process that reads it, in words; empty without one.
        seen_at: when that process renewed its claim last, in milliseconds since epoch.
        is_silent: it has not for so long that it seems to have died.
        shards: its shards, those that have ended behind the others.
    """

    stream: str
    read_by: str
    seen_at: int | None
    is_silent: bool
    shards: Sequence[Shard]


class Parked(Document, frozen=True):
    """A key for which events wait. `key` names it to the API; `shown` has no character that misleads.

    Args:
        key: partition and sort.
        shown: the same, to be shown.
        reader: name of the projection that waits.
        since: when the first of them was parked, RFC 3339 in UTC.
        count: how many wait, in words.
        in_quarantine: how many of them are there.
        is_incomplete: some of them are not in the quarantine, so that the key cannot be released.
        reason: why the first of them cannot be applied.
    """

    key: tuple[str, str]
    shown: tuple[str, str]
    reader: str
    since: str
    count: str
    in_quarantine: int
    is_incomplete: bool
    reason: str


class Waiting(Document, frozen=True):
    """Records of the quarantine that wait for one reason. `group` names them to the API.

    Args:
        group: stands for error and reason.
        error: name of the error's class, or the condition by which they were given up.
        reason: why they were not applied.
        records: how many there are.
        first: arrival of the first, RFC 3339 in UTC, or `unknown`.
        last: arrival of the last.
    """

    group: str
    error: str
    reason: str
    records: int
    first: str
    last: str


class ShownRecord(Document, frozen=True):
    """A record of the quarantine, as `quarantine show` prints it."""

    arrived: str
    position: str
    error: str
    reason: str
    event: str
    data: str


class Job(Struct, kw_only=True, rename="camel"):
    """A redrive or a drop that was begun here.

    Args:
        id: the caller's: the same one begins nothing again.
        kind: redrive or drop.
        by: who began it.
        at: when, in milliseconds since epoch.
        state: running, done or failed.
        said: what became of it, in the words of the command line.
        sent: records so far.
        needs_attention: something is left.
    """

    id: str
    kind: str
    by: str
    at: int
    state: str = "running"
    said: Sequence[str] = ()
    sent: int = 0
    needs_attention: bool = False


class State(Document, frozen=True):
    """All that the page shows. What could not be read is a problem, and the rest is there.

    Args:
        at: when it was read, in milliseconds since epoch.
        operator: who asks; empty if nobody has to say.
        sources: the processes that count outcomes.
        streams: what is read into the store, and how far.
        parked: the first parked keys, the longest wait first.
        parked_count: how many there are.
        waiting: the first groups of the quarantine, the largest first.
        waiting_count: how many groups there are.
        records: how many records are in the groups: those of parked keys are not.
        remarks: what else the quarantine holds, in the words of the command line.
        unreadable: the objects that cannot be read, each with what to do.
        problems: why a part could not be read, by its name: streams, parked or quarantine.
        jobs: what was done here, the latest first.
    """

    at: int
    operator: str
    sources: Sequence[Source]
    streams: Sequence[Stream]
    parked: Sequence[Parked]
    parked_count: int
    waiting: Sequence[Waiting]
    waiting_count: int
    records: int
    remarks: Sequence[str]
    unreadable: Sequence[str]
    problems: Mapping[str, str]
    jobs: Sequence[Job]


def shown(text: str) -> str:
    """Return text of a producer, not too long, without characters that mislead."""
    return printable(text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…")


def group_id(error: str, reason: str) -> str:
    """Return what names the records with one reason: a reason may be longer than a request."""
    return blake2b(f"{error}\0{reason}".encode(errors="replace"), digest_size=12).hexdigest()


def is_in_group(entry: Entry, group: str) -> bool:
    """Tell whether a record waits for the reason that this stands for."""
    return group_id(entry.error, entry.reason) == group


def parked_document(each: ParkedKey) -> Parked:
    """Return a parked key as a document."""
    return Parked(
        key=(each.partition, each.sort),
        shown=(shown(each.partition), shown(each.sort)),
        reader=shown(each.reader),
        since=each.since,
        count=each.count,
        in_quarantine=each.in_quarantine,
        is_incomplete=each.is_incomplete,
        reason=shown(each.reason),
    )


def waiting_document(each: Group) -> Waiting:
    """Return the records with one reason as a document."""
    return Waiting(
        group=group_id(each.error, each.reason),
        error=shown(each.error),
        reason=shown(each.reason),
        records=each.records,
        first=each.first,
        last=each.last,
    )


def record_document(entry: Entry) -> ShownRecord:
    """Return a record as a document."""
    part = "" if entry.sub_sequence_number is None else f"-{entry.sub_sequence_number}"
    return ShownRecord(
        arrived=entry.arrived_at or "unknown",
        position=shown(f"{entry.shard_id} {entry.sequence_number}{part}"),
        error=shown(entry.error),
        reason=shown(entry.reason),
        event=shown(described(entry)),
        data=shown(readable(entry.data)),
    )
