"""What an envelope says of its event, whatever its format."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from kinesis_handler.ingest.times import EARLIEST, LATEST

MAX_TEXT = 1_024
"""Longest text of an envelope, in characters: one event must not fill the memory, or an item of a store."""

MAX_NUMBER = 2**63 - 1

Text = Annotated[str, Meta(max_length=MAX_TEXT)]
RequiredText = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]

Timestamp = Annotated[int, Meta(ge=EARLIEST, le=LATEST)]
"""Milliseconds since epoch, in the years 1 to 9999, which RFC 3339 can write."""

SequenceNumber = Annotated[int, Meta(ge=0, le=MAX_NUMBER)]

NO_HEADERS: Mapping[str, Any] = MappingProxyType({})


class Context(Struct, gc=False, frozen=True, rename="camel"):
    """What led to an event."""

    correlation_id: Text | None = None


class NativeFacts(Struct, gc=False, rename="camel"):
    """The native envelope: decoded, it is what it says."""

    event_id: RequiredText
    type: RequiredText
    created_at: Timestamp
    payload: Raw
    aggregate_id: Text | None = None
    sequence_number: SequenceNumber | None = None
    source: Text | None = None
    context: Context | None = None
    version: Raw | UnsetType = UNSET
    """Not looked at without an upcaster: producers write what they like into it."""

    headers: ClassVar[Mapping[str, Any]] = NO_HEADERS


class MappedFacts(Struct, gc=False):
    """What any other envelope says.

    `created_at` is None if it carries no time. `payload` is JSON, or an object where a decoder of one's own
    made it. `version` is as it stands in the envelope, None if there is none.
    """

    event_id: str
    type: str
    created_at: int | None
    payload: Any
    aggregate_id: str | None
    sequence_number: int | None
    source: str | None
    context: Context | None
    version: object
    headers: Mapping[str, Any]


Facts = NativeFacts | MappedFacts


class FieldError(ValueError):
    """A field of an envelope is wrong.

    Args:
        what: what is wrong, without a value of the event.
        path: where, such as `.context.tenant`.
    """

    def __init__(self, what: str, path: str) -> None:
        super().__init__(f"{what} - at `${path}`")
