"""Decodes a record into an event: the envelope, then the payload by the schema of its type."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from msgspec import Struct
from msgspec.json import Decoder

from kinesis_handler.errors import ConfigurationError, InvalidEventError
from kinesis_handler.ingest.envelope import Envelope
from kinesis_handler.ingest.facts import NO_HEADERS, Timestamp
from kinesis_handler.ingest.payload import PayloadDecoder, UpcastingDecoder, decode_by
from kinesis_handler.ingest.record import Record, arrival_time
from kinesis_handler.ingest.schema import reason
from kinesis_handler.ingest.upcast import Chain

__all__ = ["Event", "EventDecoder", "Timestamp"]

Payload = TypeVar("Payload", covariant=True)  # noqa: PLC0105 - it is in the public signature: Event[Payload]


class Event(Struct, Generic[Payload], frozen=True, eq=False, gc=False):
    """One fact of the stream. Two events are equal only if they are the same object.

    Args:
        id: the same again when the producer sends an event twice.
        type: decides which processor takes the event.
        created_at: milliseconds since epoch. If the envelope carries no time: when it arrived on the stream.
        payload: an instance of the schema registered for the type; without a schema, an object without
            attributes.
        record: the record that carried it.
        sequence_number: the producer's order within one aggregate, with gaps. Not Kinesis's.
        aggregate_id: the producer's name for the aggregate.
        source: the producer's name for itself.
        correlation_id: the producer's name for the request that led to the event.
        headers: what else the envelope carries, read-only, by the names that it has there: a tenant, a trace.
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
    headers: Mapping[str, Any] = NO_HEADERS


class _AnyObject(Struct):
    """The payload of a type without a schema: an object whose content is not read."""


_WITHOUT_TIME = "Object missing a time, and its record does not say when it arrived - at `$`"

_NO_CHAINS: Mapping[str, Chain] = {}


class EventDecoder:
    """Decodes the content of records, each event type by its own schema.

    The processors that take a type share its events: they have the same schema and the same upcasters.

    Args:
        envelope: what the contents are read by.
    """

    def __init__(self, envelope: Envelope) -> None:
        self._open = envelope.open
        self._has_headers = envelope.has_headers
        self._is_text = envelope.is_text
        self._is_json = envelope.payload_is_json
        self._payload_path = envelope.payload_path
        self._decoders: dict[str, PayloadDecoder] = {}
        ignored = (lambda _: _AnyObject()) if envelope.any_payload else Decoder(_AnyObject).decode
        self._ignored = PayloadDecoder(_AnyObject, ignored)
        self._upcast = UpcastingDecoder(envelope).decode

    def check(self, schemas: Mapping[str, Any], chains: Mapping[str, Chain], processor: str) -> None:
        """See that nobody decodes one of these types in another way.

        Raises ConfigurationError if there is one who does.
        """
        for event_type, schema in schemas.items():
            known = self._decoders.get(event_type)
            if known is None or (known.schema == schema and known.chain == chains.get(event_type)):
                continue
            if known.schema == schema:
                raise ConfigurationError(
                    f"{processor} has other upcasters of the event type {event_type!r} than another processor"
                )
            raise ConfigurationError(
                f"{processor} decodes the event type {event_type!r} as {_name(schema)}, and another "
                f"processor as {_name(known.schema)}"
            )

    def register(self, schemas: Mapping[str, Any], chains: Mapping[str, Chain] = _NO_CHAINS) -> None:
        """Register the schemas by which payloads of these event types are decoded.

        Args:
            schemas: by event type; `require_decodable` and `check` have found no fault with them.
            chains: the upcasters of some of the types.
        """
        for event_type, schema in schemas.items():
            if event_type not in self._decoders:
                decode = decode_by(schema, is_json=self._is_json)
                self._decoders[event_type] = PayloadDecoder(schema, decode, chains.get(event_type))

    def decode(self, record: Record, content: bytes) -> Event[Any] | InvalidEventError:
        """Return the event in `content`, or the error if it is not one. Its type may have no decoder.

        The error is returned, not raised: the traceback of a raised one would hold the content in memory for
        as long as the error lives.

        Raises MemoryError: that says nothing of the event.

        Args:
            record: what carried it.
            content: its bytes.
        """
        try:
            # The decoder skips fields outside the schema without checking that they are UTF-8.
            if self._is_text and not content.isascii():
                content.decode()
            open_envelope = self._open  # Python 3.11 calls a name faster than an attribute
            facts = open_envelope(content)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a decoder or a class of one's own may raise anything
            return InvalidEventError(reason(error))
        context = facts.context
        correlation_id = context.correlation_id if context is not None else None
        decoder = self._decoders.get(facts.type, self._ignored)
        try:
            chain, decode = decoder.chain, decoder.decode
            payload = decode(facts.payload) if chain is None else self._upcast(decoder, chain, facts)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - likewise
            inside = self._payload_path
            return InvalidEventError(reason(error, inside), facts.event_id, facts.type, correlation_id)
        created_at, headers = facts.created_at, NO_HEADERS
        if self._has_headers:
            headers = facts.headers
        if created_at is None:
            created_at = _arrived_at(record)
            if created_at is None:
                return InvalidEventError(_WITHOUT_TIME, facts.event_id, facts.type, correlation_id)
        return Event(
            facts.event_id,
            facts.type,
            created_at,
            payload,
            record,
            facts.sequence_number,
            facts.aggregate_id,
            facts.source,
            correlation_id,
            headers,
        )


def _name(schema: Any) -> str:
    return str(getattr(schema, "__name__", schema))


def _arrived_at(record: Record) -> int | None:
    seconds = arrival_time(record.source)
    return None if seconds is None else round(seconds * 1_000)
