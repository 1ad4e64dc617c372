"""What a state's type must be like, so that a later one can read what was written under it. Pure."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, get_args, get_type_hints

from msgspec import Struct
from msgspec.structs import fields

from kinesis_handler.errors import ConfigurationError
from kinesis_handler.ingest.schema import type_problem


def check_state_type(state_type: Any) -> None:
    """See that a state can be read again, and is written with all of its fields.

    Raises ConfigurationError if msgspec does not know a type in it; and if a Struct in it is declared with
    `omit_defaults`: what it left out would change, in states that are stored long since, with the default.
    """
    if (problem := type_problem(state_type, written=True)) is not None:
        raise ConfigurationError(
            f"no state of type {name_of(state_type)} can be stored: {problem}; allowed: a type that msgspec "
            "can write as JSON and read again, such as a Struct"
        )
    for each in structs_in(state_type):
        if each.__struct_config__.omit_defaults:
            raise ConfigurationError(
                f"{each.__name__} has omit_defaults=True: a state is stored with all of its fields, or a new "
                "default would change the old states. Leave it out; a field may be absent by `UNSET`"
            )


def name_of(state_type: Any) -> str:
    """Return the name of a state's type, for errors: that of its class, if it is one."""
    return str(getattr(state_type, "__name__", state_type))


def structs_in(type_: Any, seen: set[Any] | None = None) -> Iterator[type[Struct]]:
    """Yield the Structs that values of a type may have in them, but for those that have been seen."""
    seen = set() if seen is None else seen
    try:
        is_new = type_ not in seen
        seen.add(type_)
    except TypeError:  # an argument of a Literal or an Annotated that has no hash: no type
        return
    if not is_new:
        return
    parts: Iterable[Any] = get_args(type_)
    if isinstance(type_, type):
        if issubclass(type_, Struct):
            yield type_
            parts = [*parts, *(each.type for each in fields(type_))]
        elif type_.__module__ != "builtins":  # a dataclass, a TypedDict, a NamedTuple; others have no hints
            with suppress(NameError):
                parts = [*parts, *get_type_hints(type_).values()]
    for each in parts:
        yield from structs_in(each, seen)
