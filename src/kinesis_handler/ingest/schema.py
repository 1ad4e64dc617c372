"""Checks the types of payloads and states: msgspec must be able to decode into them. Pure."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import NoneType
from typing import Any, get_args

from msgspec.inspect import CustomType, Field, RawType, Type, UnionType, type_info

from kinesis_handler.errors import ConfigurationError, UnstorableError, raised
from kinesis_handler.ingest.facts import FieldError

ALLOWED = (
    "a msgspec.Struct, dataclass, class of attrs, TypedDict or other type that msgspec can decode into, "
    "or a model of pydantic"
)

RAW_IN_UNION = "Raw is in a union, where msgspec never decodes it: declare it alone, or as Raw | UnsetType"

# The path of the error, at the very end of msgspec's message.
_PATH = re.compile(r" - at `(?:key` in `)?\$([^`]*)`$")

_OF_JSON = (dict, list, str, int, float, Decimal, bool, NoneType)


CODEC_ERRORS = (TypeError, ValueError, ArithmeticError, RecursionError)
"""Exceptions raised when a value cannot be encoded, or decoded as a type."""


def not_readable_again(error: Exception, name: str) -> UnstorableError:
    """Return the error for a state that could not be decoded again as its type."""
    return UnstorableError(f"it could not be read again as a {name}: {reason(error)}")


def require_decodable(schemas: Mapping[str, Any], processor: str) -> None:
    """Refuse a schema that msgspec cannot decode into: every event of its type would be rejected.

    Args:
        schemas: the schema of each event type's payload.
        processor: the name of the processor that takes them.

    Raises ConfigurationError.
    """
    for event_type, schema in schemas.items():
        if (problem := type_problem(schema)) is not None:
            raise ConfigurationError(
                f"{processor} takes {event_type!r} with a schema that cannot be decoded into: {problem}; "
                f"allowed: {ALLOWED}"
            )


def type_problem(kind: Any, *, written: bool = False) -> str | None:
    """Return why msgspec cannot decode into a type; None if it can.

    Args:
        kind: the type.
        written: check fields with a default too, because the type is also encoded, with all its fields.
    """
    if is_pydantic(kind) and not written:
        from kinesis_handler.ingest.pydantic_models import problem_of  # noqa: PLC0415 - for who has such models

        return problem_of(kind)
    try:
        info = type_info(kind)
    except (TypeError, ValueError, NameError, RecursionError) as error:
        return str(error)
    return next(_problems(info, set(), written=written), None)


def is_pydantic(kind: Any) -> bool:
    """Tell whether a type is a model or a dataclass of pydantic, or is made of them, as a union is."""
    return hasattr(kind, "__pydantic_validator__") or any(is_pydantic(each) for each in get_args(kind))


def _problems(part: Any, seen: set[int], *, written: bool) -> Iterator[str]:
    """Yield why a type within a type is never decoded into.

    msgspec leaves a type that it does not know to hooks, and this engine has none. Of a union it decodes all
    members but Raw.
    """
    if isinstance(part, tuple):
        for each in part:
            yield from _problems(each, seen, written=written)
    elif isinstance(part, CustomType):
        if not _is_of_json(part.cls):
            yield f"msgspec knows nothing of {part.cls.__qualname__}"
    elif _has_raw(part):
        yield RAW_IN_UNION
    elif isinstance(part, Type) and id(part) not in seen:
        seen.add(id(part))
        for name in part.__struct_fields__:
            yield from _problems(getattr(part, name), seen, written=written)
    elif isinstance(part, Field) and (part.required or written or _has_raw(part.type)):
        yield from _problems(part.type, seen, written=written)


def _has_raw(part: Any) -> bool:
    return isinstance(part, UnionType) and any(isinstance(each, RawType) for each in part.types)


def _is_of_json(kind: Any) -> bool:
    """Tell whether a decoded JSON value can be an instance of this class without a hook, such as `object`."""
    try:
        return any(issubclass(each, kind) for each in _OF_JSON)
    except TypeError:
        return False


def reason(error: Exception, inside: str = "") -> str:
    """Return what is wrong and where, without a value of the event: the text is logged."""
    if isinstance(error, UnicodeDecodeError):
        return f"Not UTF-8 at byte {error.start}"
    if isinstance(error, UnicodeEncodeError):
        return f"Half of a surrogate pair at character {error.start}"
    message = str(error)
    path = _PATH.search(message)
    what, where = (message[: path.start()], path[1]) if path is not None else (message, "")
    if isinstance(error, FieldError):
        inside = ""  # it names the whole path
    elif isinstance(error, RecursionError):
        what = "Nested too deeply"
    elif isinstance(error, ArithmeticError):
        what = "A number is beyond all bounds"
    elif (field := _refused_by_attrs(error)) is not None:
        what, where = "Refused by its validator", where + field
    elif what.startswith(("Invalid enum value", "Invalid value")):  # msgspec quotes the value
        what = "Not one of the allowed values"
    elif not isinstance(error, ValueError | TypeError):  # a class of the schema raised it
        what = raised(error)
    return f"{what} - at `${inside}{where}`"


def _refused_by_attrs(error: Exception) -> str | None:
    """Return the field that a validator of attrs refused, or None: its message quotes the value."""
    cause = error.__cause__
    traceback = cause.__traceback__ if cause is not None else None
    if traceback is None:
        return None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    if not str(traceback.tb_frame.f_globals.get("__name__")).startswith(("attr.", "attrs.")):
        return None
    attribute = traceback.tb_frame.f_locals.get("attr")  # as its validators call their argument
    return f".{attribute.name}" if attribute is not None else ""
