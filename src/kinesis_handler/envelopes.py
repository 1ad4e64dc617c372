"""Envelopes: how a record's content says what event it is. One for each handler: `envelope=CloudEvents()`."""

from collections.abc import Collection
from typing import Any, Literal

from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.json import Decoder

from kinesis_handler.errors import ConfigurationError
from kinesis_handler.ingest.documents import Documents
from kinesis_handler.ingest.envelope import Envelope
from kinesis_handler.ingest.facts import Context, FieldError, MappedFacts, NativeFacts, RequiredText, Text
from kinesis_handler.ingest.fields import find_field
from kinesis_handler.ingest.headers import checked_names, headers_of_members, member

__all__ = ["CloudEvents", "Envelope", "EventBridge", "Native"]


class Native(Envelope):
    """The library's own envelope: `eventId`, `type`, `createdAt` (epoch milliseconds), `payload`.

    It may also have `aggregateId`, `sequenceNumber`, `source`, `context.correlationId`, and `version`, which
    upcasters read. All else is ignored, or carried as a header if it is named.

    Args:
        headers: the names of the members that events carry as `headers`. By default none: this envelope is
            read fastest without.
        documents: how a record holds its documents: `one`, `lines`, `concatenated` or `array`.
    """

    def __init__(self, *, headers: Collection[str] = (), documents: Documents = "one") -> None:
        super().__init__(
            NativeFacts,
            id="event_id",
            type="type",
            created_at="created_at",
            payload="payload",
            aggregate_id="aggregate_id",
            sequence_number="sequence_number",
            source="source",
            correlation_id="context.correlation_id",
            version="version",
            documents=documents,
        )
        self.any_payload = False
        self._names = checked_names(headers)
        if not headers:
            self.open = Decoder(NativeFacts).decode  # decoded, it is what it says
            self.has_headers = False

    def _open(self, content: bytes) -> MappedFacts:
        said: Any = self._decode(content)
        return MappedFacts(
            said.event_id,
            said.type,
            said.created_at,
            said.payload,
            said.aggregate_id,
            said.sequence_number,
            said.source,
            said.context,
            said.version,
            headers_of_members(content, frozenset(), self._names),
        )


def checked_envelope(envelope: Envelope | None) -> Envelope:
    """Return the envelope of a handler, the native one for None.

    Raises ConfigurationError if it is no envelope, such as the class of one.
    """
    if envelope is None:
        return Native()
    if not isinstance(envelope, Envelope):
        raise ConfigurationError(
            f"envelope is {envelope!r}; allowed: an envelope, such as CloudEvents() or EventBridge(), or None"
        )
    return envelope


class _CloudEvent(Struct, gc=False):
    specversion: Literal["1.0"]
    id: RequiredText
    source: RequiredText
    type: RequiredText
    time: str | None = None
    subject: Text | None = None
    data: Raw | UnsetType = UNSET
    data_base64: bytes | UnsetType = UNSET
    sequence: int | float | str | bool | None = None
    correlationid: Text | None = None
    dataschema: Text | None = None


_CARRIED = {"dataschema"}
_NO_HEADERS = frozenset(_CloudEvent.__struct_encode_fields__) - _CARRIED
_NO_DATA = Raw(b"{}")


class CloudEvents(Envelope):
    """CloudEvents 1.0 as structured JSON: `specversion`, `id`, `source`, `type`, `time`, `subject`, `data`.

    `subject` is the event's `aggregate_id`, the extension `sequence` its producer's number if it is an
    integer, the extension `correlationid` its correlation id. All other attributes are its `headers`: 8 KiB
    of them at most. An event without `time` counts as created when it arrived on the stream; one without data
    has an empty object as payload; `data_base64` may have JSON in it.

    Args:
        headers: the names of the attributes that events carry as `headers`; None for all others.
        id_within_source: make the id of an event of its `source` and its `id`. The specification makes an id
            unique within its source only: where sources that count their ids from 1 write to one key, an
            event of one would pass for a repeat of another's.
        version: the name of the attribute that ends with the payload's version, which upcasters need.
        documents: how a record holds its documents; `array` is the specification's batch format.

    Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
    """

    def __init__(
        self,
        *,
        headers: Collection[str] | None = None,
        id_within_source: bool = False,
        version: str = "dataschema",
        documents: Documents = "one",
    ) -> None:
        super().__init__(
            _CloudEvent,
            id="id",
            type="type",
            created_at="time",
            payload="data",
            aggregate_id="subject",
            source="source",
            correlation_id="correlationid",
            version="dataschema",
            documents=documents,
        )
        self._names = None if headers is None else checked_names(headers)
        self._id_within_source = id_within_source
        self._number = find_field(_CloudEvent, "sequence_number", "sequence", None)
        self._version_name = version

    @property
    def version_path(self) -> str:
        """See `Envelope.version_path`."""
        return f".{self._version_name}"

    def _open(self, content: bytes) -> MappedFacts:
        said: Any = self._decode(content)
        event_id, payload = said.id, said.data
        if said.data_base64 is not UNSET:
            if payload is not UNSET:
                raise FieldError("There is `data` as well", ".data_base64")
            payload = said.data_base64
        return MappedFacts(
            f"{said.source} {event_id}" if self._id_within_source else event_id,
            said.type,
            self._created_at(said),
            _NO_DATA if payload is UNSET else payload,
            said.subject,
            self._number_of(said),
            said.source,
            None if said.correlationid is None else Context(said.correlationid),
            said.dataschema if self._version_name == "dataschema" else member(content, self._version_name),
            headers_of_members(content, _NO_HEADERS, self._names),
        )

    def _number_of(self, said: Any) -> int | None:
        sequence = said.sequence
        is_integer = (
            sequence.isascii() and sequence.isdigit() if isinstance(sequence, str) else type(sequence) is int
        )
        return super()._number_of(said) if is_integer else None  # another kind orders nothing here


class _EventBridgeEvent(Struct, gc=False, rename={"detail_type": "detail-type"}):
    id: RequiredText
    detail_type: RequiredText
    source: RequiredText
    time: str
    detail: Raw
    version: Text | None = None
    account: Text | None = None
    region: Text | None = None
    resources: tuple[Text, ...] | None = None


class EventBridge(Envelope):
    """The envelope of Amazon EventBridge: `id`, `detail-type`, `source`, `time`, `detail`.

    `detail-type` is the event's type, `detail` its payload; `version`, `account`, `region` and `resources`
    are its `headers`. EventBridge numbers nothing, and spreads events over the shards by their id unless the
    target names another partition key: without one, the events of a key have no order.

    Args:
        version: the member of `detail` with the payload's version, with dots where it lies deeper: upcasters
            need it. The `version` of the envelope is that of EventBridge's own format.
        documents: how a record holds its documents: `one`, `lines`, `concatenated` or `array`.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
    """

    def __init__(self, *, version: str | None = None, documents: Documents = "one") -> None:
        super().__init__(
            _EventBridgeEvent,
            id="id",
            type="detail_type",
            created_at="time",
            payload="detail",
            source="source",
            version=None if version is None else f"detail.{version}",
            documents=documents,
        )
