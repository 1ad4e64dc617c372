"""Decodes a record into an event: the envelope, then the payload by the schema of its type."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

from msgspec import Meta, Raw, Struct
from msgspec.json import Decoder

from kinesis_handler.errors import ConfigurationError, InvalidEventError
from kinesis_handler.ingest.record import Record
from kinesis_handler.ingest.schema import reason

Payload = TypeVar("Payload", covariant=True)  # noqa: PLC0105 - it is in the public signature: Event[Payload]

Text = Annotated[str, Meta(max_length=1024)]
"""Text of the envelope. The bound prevents one event from filling the memory, or an item of a store."""

RequiredText = Annotated[str, Meta(min_length=1, max_length=1024)]

Timestamp = Annotated[int, Meta(ge=-62_135_596_800_000, le=253_402_300_799_999)]
"""Milliseconds since epoch, in the years 1 to 9999, which RFC 3339 can write."""

SequenceNumber = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Event(Struct, Generic[Payload], frozen=True, eq=False, gc=False):
    """One fact of the stream. Two events are equal only if they are the same object.

    Args:
        id: the same again when the producer sends an event twice.
        type: decides which processor takes the event.
        created_at: milliseconds since epoch.
        payload: an instance of the schema registered for the type; without a schema, an object without
            attributes.
        record: the record that carried it.
        sequence_number: the producer's order within one aggregate, with gaps. Not Kinesis's.
        aggregate_id: the producer's name for the aggregate.
        source: the producer's name for itself.
        correlation_id: the producer's name for the request that led to the event.
    """

    id: str
    type: str
    created_at: int
    payload: Payload
    record: Record
    sequence_number: int | None = None
    aggregate_id: str | None = None
    source: str | None = None
    correlation_id: str | None = None


# From the decoder; from nesting; from a number without a declared type that is beyond Decimal's range.
_UNDECODABLE = (ValueError, RecursionError, ArithmeticError)


class _Context(Struct, gc=False, rename="camel"):
    correlation_id: Text | None = None


class _Envelope(Struct, gc=False, rename="camel"):
    event_id: RequiredText
    type: RequiredText
    created_at: Timestamp
    payload: Raw
    aggregate_id: Text | None = None
    sequence_number: SequenceNumber | None = None
    source: Text | None = None
    context: _Context | None = None


class _AnyObject(Struct):
    """The payload of a type without a schema: an object whose content is not read."""


class EventDecoder:
    """Decodes the content of records, each event type by its own schema."""

    def __init__(self) -> None:
        self._decode_envelope = Decoder(_Envelope).decode
        self._schemas: dict[str, type[Any]] = {}
        self._payload_decoders: dict[str, Decoder[Any]] = {}
        self._without_schema = Decoder(_AnyObject)

    def check(self, schemas: Mapping[str, type[Any]], processor: str) -> None:
        """See that no other schema is registered for a type.

        Raises ConfigurationError if there is one.
        """
        for event_type, schema in schemas.items():
            known = self._schemas.get(event_type, schema)
            if known is not schema:
                raise ConfigurationError(
                    f"{processor} decodes the event type {event_type!r} as {schema.__name__}, and another "
                    f"processor as {known.__name__}"
                )

    def register(self, schemas: Mapping[str, type[Struct]]) -> None:
        """Register the schemas by which payloads of these event types are decoded."""
        for event_type, schema in schemas.items():
            self._schemas[event_type] = schema
            # A number without a declared type is exact: float would round it.
            self._payload_decoders[event_type] = Decoder(schema, float_hook=Decimal)

    def decode(self, record: Record, content: bytes) -> Event[Any] | InvalidEventError:
        """Return the event in `content`, or the error if it is not one.

        The error is returned, not raised: the traceback of a raised one would hold the content in memory for
        as long as the error lives.
        """
        try:
            # The decoder skips fields outside the schema without checking that they are UTF-8.
            if not content.isascii():
                content.decode()
            envelope = self._decode_envelope(content)
        except _UNDECODABLE as error:
            return InvalidEventError(reason(error))
        context = envelope.context
        correlation_id = context.correlation_id if context is not None else None
        decoder = self._payload_decoders.get(envelope.type, self._without_schema)
        try:
            payload = decoder.decode(envelope.payload)
        except _UNDECODABLE as error:
            return InvalidEventError(
                reason(error, inside=".payload"), envelope.event_id, envelope.type, correlation_id
            )
        return Event(
            envelope.event_id,
            envelope.type,
            envelope.created_at,
            payload,
            record,
            envelope.sequence_number,
            envelope.aggregate_id,
            envelope.source,
            correlation_id,
        )
