"""Decodes payloads into models of pydantic, by their own validators. Imported where there are such models."""

import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticKnownError

from kinesis_handler.errors import raised

_QUOTING = {"error", "tag", "attribute", "encoding_error", "tz_actual"}
"""Parts of pydantic's messages that may quote the input."""


def decode_model(schema: Any, *, is_json: bool) -> Callable[[Any], Any]:
    """Return what decodes a payload, JSON or an object, into a model, or into something made of models.

    It raises ValueError that names the field, and quotes no value.
    """
    adapter: TypeAdapter[Any] = TypeAdapter(schema)
    names = frozenset(_names(schema, set()))

    def decode(payload: Any) -> Any:
        try:
            if not is_json:
                return adapter.validate_python(payload, from_attributes=True)
            return adapter.validate_json(payload if isinstance(payload, str) else bytes(payload))
        except ValidationError as error:
            raise ValueError(_reason(error, names)) from None
        except Exception as error:  # noqa: BLE001 - a validator of the model's own raised it
            raise ValueError(f"A validator: {raised(error)}") from None

    return decode


def problem_of(schema: Any) -> str | None:
    """Return why pydantic cannot decode into a schema; None if it can."""
    try:
        TypeAdapter(schema).validate_json(b"")
    except ValidationError:
        return None
    except Exception as error:  # noqa: BLE001 - whatever it is, no payload could be decoded
        return str(error)
    return None


def _reason(error: ValidationError, names: frozenset[str]) -> str:
    first, *others = error.errors()
    # The code of an error is a constant of pydantic's or of the model's.
    what = f"Not valid ({first['type']})" if _may_quote(first) else first["msg"]
    more = f", and {len(others)} more" if others else ""
    return f"{what}{more} - at `${_path(first['loc'], names)}`"


def _may_quote(details: Mapping[str, Any]) -> bool:
    """Tell whether the message of an error may have a part of the input in it."""
    try:
        template = PydanticKnownError(details["type"], details.get("ctx")).message_template
    except (KeyError, TypeError):  # an error of the model's own, or with an exception of it in it
        return True
    return not _QUOTING.isdisjoint(name for _, name, _, _ in string.Formatter().parse(template) if name)


def _path(location: Sequence[int | str], names: frozenset[str]) -> str:
    """Return where an error is. What is no field of a model may be a key of the payload, and is not named."""
    return "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" if part in names else "[…]" for part in location
    )


def _names(schema: Any, seen: set[Any]) -> Iterator[str]:
    """Return the names of all fields of the models in a schema, and their aliases."""
    for each in get_args(schema):
        yield from _names(each, seen)
    found = getattr(schema, "__pydantic_fields__", None)
    if not isinstance(found, dict) or schema in seen:
        return
    seen.add(schema)
    for name, field in found.items():
        yield name
        yield from (alias for alias in (field.alias, field.validation_alias) if isinstance(alias, str))
        yield from _names(field.annotation, seen)
