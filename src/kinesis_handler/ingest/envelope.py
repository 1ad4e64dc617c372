"""Reads an envelope by a Struct and a mapping of its fields."""

from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any, get_args

import msgspec
from msgspec import Raw, Struct
from msgspec.json import Decoder

from kinesis_handler.errors import ConfigurationError, raised
from kinesis_handler.functions import require_plain
from kinesis_handler.ingest.documents import Documents
from kinesis_handler.ingest.facts import NO_HEADERS, Context, Facts, FieldError, MappedFacts
from kinesis_handler.ingest.fields import (
    JSON,
    NAME,
    NUMBER,
    TEXT,
    TIME,
    VERSION,
    Field,
    find_field,
    other_fields,
)
from kinesis_handler.ingest.headers import headers_of_values
from kinesis_handler.ingest.record import Packing
from kinesis_handler.ingest.schema import type_problem
from kinesis_handler.ingest.times import Unit, milliseconds

_members = Decoder(dict[str, Raw]).decode
_name = Decoder(str | int).decode


class Envelope:
    """An envelope of one's own: a Struct, and which of its fields is what.

        class Message(Struct):
            uuid: str
            kind: str
            at: int
            body: Raw
            tenant: str | None = None

        Envelope(Message, id="uuid", type="kind", created_at="at", payload="body")

    A field is named as the class spells it, with dots where it lies in another Struct: `meta.uuid`. Fields of
    the Struct that are not named are the event's `headers`, by their names in the document: 8 KiB of them at
    most.

    Args:
        kind: the Struct. What it has no field for is ignored.
        id: the field with the event's id: a text, an integer or a UUID.
        type: the field with its type, a text.
        created_at: the field with its time: a number, a text in RFC 3339, or a datetime. An event that has
            none counts as created when it arrived on the stream.
        payload: the field with its payload: a `msgspec.Raw`; or a `str` or `bytes` with JSON in it. With a
            decoder of one's own it may be any object that msgspec can convert to the schema.
        sequence_number: the field with the producer's number: an integer, or a text of digits.
        aggregate_id: the field with the producer's name for the aggregate: a text, an integer or a UUID.
        source: the field with the producer's name for itself, a text.
        correlation_id: the field with the producer's name for the request that led to the event: likewise.
        version: the field with the version of the payload, which upcasters need: an integer, or a text that
            ends with one. It may lie in the payload itself: `body.version`.
        unit: what a number in `created_at` counts since epoch: `ms` or `s`.
        documents: how a record holds its documents: `one`, `lines`, `concatenated` or `array`.
        decoder: makes an instance of the Struct, or what msgspec can convert to one, of bytes that are no
            JSON. It is pure: what it raises rejects the record. It gets zlib data as it is; gzip and KPL are
            undone.

    Raises ConfigurationError if the Struct has no such field, or a field is of a type that cannot be read so.
    """

    def __init__(  # noqa: PLR0913 - what an event has; each but four has a default
        self,
        kind: type[Struct],
        *,
        id: str,  # noqa: A002 - as the event names it
        type: str,  # noqa: A002 - likewise
        created_at: str,
        payload: str,
        sequence_number: str | None = None,
        aggregate_id: str | None = None,
        source: str | None = None,
        correlation_id: str | None = None,
        version: str | None = None,
        unit: Unit = "ms",
        documents: Documents = "one",
        decoder: Callable[[bytes], object] | None = None,
    ) -> None:
        name = getattr(kind, "__qualname__", repr(kind))
        try:
            _require_struct(kind)
            _require_one_of("unit", unit, Unit)
            _require_one_of("documents", documents, Documents)
            _require_decoder(decoder, documents)
            self._id = find_field(kind, "id", id, NAME)
            self._type = find_field(kind, "type", type, TEXT)
            self._time = find_field(kind, "created_at", created_at, TIME)
            self._payload = find_field(kind, "payload", payload, JSON if decoder is None else None)

            def optional(attribute: str, field: str | None, allowed: Collection[Any] = TEXT) -> Any:
                return None if field is None else find_field(kind, attribute, field, allowed)

            self._number = optional("sequence_number", sequence_number, NUMBER)
            self._aggregate_id = optional("aggregate_id", aggregate_id, NAME)
            self._source = optional("source", source)
            self._correlation_id = optional("correlation_id", correlation_id, NAME)
            self._version = optional("version", version, VERSION)
            _require_in_payload(self._version, self._payload)
        except ConfigurationError as error:
            raise ConfigurationError(f"the envelope {name}: {error}") from None
        self.packing = Packing(documents, zlib=decoder is None)
        self.is_text = decoder is None
        """Whether a content is JSON, and so UTF-8."""
        self.payload_is_json = self.is_text or set(self._payload.types) <= set(JSON)
        """Whether a payload is JSON; an object otherwise."""
        self.any_payload = True
        """Whether the payload of a type that nobody takes may be anything, and not only an object."""
        self._unit = unit
        self._decode = (
            Decoder(kind, float_hook=Decimal).decode if decoder is None else _converting(decoder, kind)
        )
        named = (self._id, self._type, self._time, self._payload, self._number, self._aggregate_id)
        mapped = {each.names for each in (*named, self._source, self._correlation_id) if each is not None}
        self._headers = [(".".join(each.names), each.get) for each in other_fields(kind, mapped)]
        self.open: Callable[[bytes], Facts] = self._open
        """Returns what an event says of itself. Raises an error that quotes nothing if it cannot be read."""
        self.has_headers = True
        """Whether that may have headers: of the native envelope only where they are named."""

    @property
    def payload_path(self) -> str:
        """Where the payload is in a document, such as `.data`."""
        return self._payload.path

    @property
    def version_path(self) -> str | None:
        """Where the payload's version is in a document; None if the envelope does not say."""
        return None if self._version is None else self._version.path

    @property
    def version_inside(self) -> tuple[str, ...]:
        """The names that lead to the version in the payload; none if the envelope itself has it."""
        return () if self._version is None else self._version.inside

    def partition_key(self, content: bytes) -> str | None:
        """Return the producer's name for an event's aggregate; None if it has none, or cannot be read.

        An event that is not valid otherwise may have one, and is put onto the stream with the others.
        """
        if self._aggregate_id is None:
            return None
        try:
            if not self.is_text:
                return self.open(content).aggregate_id
            found = Raw(content)
            for name in self._aggregate_id.names:
                found = _members(found)[name]
            return str(_name(found))
        except Exception:  # noqa: BLE001 - the handler will say what is wrong
            return None

    def _open(self, content: bytes) -> MappedFacts:
        said = self._decode(content)
        correlation_id = self._correlation_id and self._correlation_id.text(said)
        return MappedFacts(
            self._id.required_text(said),
            self._type.required_text(said),
            self._created_at(said),
            self._payload_of(said),
            self._aggregate_id and self._aggregate_id.text(said),
            self._number_of(said),
            self._source and self._source.text(said),
            None if correlation_id is None else Context(correlation_id),
            self._version and self._version.get(said),
            headers_of_values([(name, get(said)) for name, get in self._headers])
            if self._headers
            else NO_HEADERS,
        )

    def _created_at(self, said: Any) -> int | None:
        value = self._time.get(said)
        if value is None:
            return None
        try:
            return milliseconds(value, self._unit)
        except ValueError as error:
            raise FieldError(str(error), self._time.path) from None

    def _payload_of(self, said: Any) -> Any:
        payload = self._payload.get(said)
        if payload is None:
            raise FieldError("Object missing its payload", self._payload.path)
        return payload

    def _number_of(self, said: Any) -> int | None:
        return None if self._number is None else self._number.number(said)


def _converting(decoder: Callable[[bytes], object], kind: type[Struct]) -> Callable[[bytes], Any]:
    def decode(content: bytes) -> Any:
        try:
            said = decoder(content)
        except Exception as error:  # noqa: BLE001 - bytes that it cannot read
            raise ValueError(f"the decoder: {raised(error)}") from None
        return said if isinstance(said, kind) else msgspec.convert(said, kind, from_attributes=True)

    return decode


def _require_struct(kind: Any) -> None:
    if not (isinstance(kind, type) and issubclass(kind, Struct)):
        raise ConfigurationError("it is no msgspec.Struct")
    if (problem := type_problem(kind)) is not None:
        raise ConfigurationError(f"it cannot be decoded into: {problem}")


def _require_one_of(name: str, value: object, literal: Any) -> None:
    if value not in get_args(literal):
        raise ConfigurationError(f"{name} is {value!r}; allowed: {', '.join(map(repr, get_args(literal)))}")


def _require_in_payload(version: Field | None, payload: Field) -> None:
    if version is not None and version.inside and version.names != (*payload.names, *version.inside):
        raise ConfigurationError(f"version is at `${version.path}`, which is in no payload")


def _require_decoder(decoder: Callable[[bytes], object] | None, documents: Documents) -> None:
    if decoder is None:
        return
    if not callable(decoder):
        raise ConfigurationError(f"decoder is {decoder!r}; allowed: a function of bytes")
    require_plain(decoder, "its decoder")
    if documents != "one":
        raise ConfigurationError(f"documents is {documents!r}; allowed with a decoder of one's own: 'one'")
