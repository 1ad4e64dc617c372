"""Decodes payloads by the schema of their type: JSON, or an object that a decoder of one's own made."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.json import Decoder

from kinesis_handler.ingest.envelope import Envelope
from kinesis_handler.ingest.facts import Facts
from kinesis_handler.ingest.schema import is_pydantic
from kinesis_handler.ingest.upcast import Chain, version_number

Decode = Callable[[Any], Any]
"""Decodes a payload; whatever it raises, the payload is invalid."""

Json = Raw | str | bytes


class PayloadDecoder(Struct, frozen=True, eq=False):
    """Decodes the payloads of one event type by one schema.

    Args:
        schema: what they are decoded into.
        decode: does so, for those of the newest version.
        chain: the upcasters of older ones; None if there are none.
    """

    schema: Any
    decode: Decode
    chain: Chain | None = None


class UpcastingDecoder:
    """Decodes payloads of any version: an older one passes its upcasters first."""

    def __init__(self, envelope: Envelope) -> None:
        self._path = envelope.version_path or ""
        self._inside = envelope.version_inside
        self._is_json = envelope.payload_is_json

    def decode(self, decoder: PayloadDecoder, chain: Chain, facts: Facts) -> Any:
        """Return the payload. Raises ValueError if there is no way from its version to the newest."""
        payload = facts.payload
        if not self._inside:
            version = version_number(facts.version, self._path)
            if version == chain.newest:
                return decoder.decode(payload)
        decoded = _decode_any(payload) if self._is_json else payload
        if self._inside:
            version = version_number(_inside(decoded, self._inside), self._path)
        upcast = chain.apply(decoded, version, self._path)
        return decoder.decode(_encode(upcast) if self._is_json else upcast)


def decode_by(schema: Any, *, is_json: bool) -> Decode:
    """Return what decodes payloads by a schema.

    Args:
        schema: a type that `type_problem` finds no fault with.
        is_json: whether the payloads are JSON; objects otherwise.
    """
    if is_pydantic(schema):
        from kinesis_handler.ingest.pydantic_models import decode_model  # noqa: PLC0415 - for who has such models

        return decode_model(schema, is_json=is_json)
    if is_json:
        # A number without a declared type is exact: float would round it.
        return Decoder(schema, float_hook=Decimal).decode
    return lambda payload: msgspec.convert(payload, schema, from_attributes=True)


_decode_any = Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


def _inside(payload: object, names: tuple[str, ...]) -> object:
    """Return what a decoded payload has under these names; None if it has nothing there."""
    for name in names:
        payload = payload.get(name) if isinstance(payload, dict) else None
    return payload
