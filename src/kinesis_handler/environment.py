"""Reads settings from environment variables, by one rule for the library and its applications. Pure.

A variable that is missing or empty has its default. White space alone is an error: the value was probably
lost. White space around a value is stripped. Where only a few words are allowed, their case does not matter;
several values have commas between.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from kinesis_handler.errors import ConfigurationError

S = TypeVar("S", bound=Struct)

LAMBDA_FUNCTION = "AWS_LAMBDA_FUNCTION_NAME"
"""Variable that only Lambda sets: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""

ANY_TEXT = "any text, or leave it out"

REGION = "[a-z0-9-]+"
REGION_FORM = "a region's code, such as eu-north-1"


def read_environment(settings: type[S], environment: Mapping[str, str]) -> S:
    """Return settings, each field from the variable of its name in upper case.

    The type of a field is what its variable may be: a text, a number, one of a few words (`Literal`), or a
    tuple. The description of its `Meta` says that to a person.

    Raises ConfigurationError that names the variable, its value and what is allowed.
    """
    given: dict[str, Any] = {}
    for field in fields(settings):
        variable, allowed = field.name.upper(), allowed_for(field.type)
        if not (text := read_text(environment, variable, allowed)):
            continue
        if get_origin(field.type) is tuple:
            parts = filter(None, map(str.strip, text.split(",")))
            given[field.name] = tuple(_convert(variable, each, get_args(field.type)[0]) for each in parts)
        else:
            given[field.name] = _convert(variable, text, field.type)
    return settings(**given)


def allowed_for(hint: Any) -> str:
    """Return what a variable of this type may be, for a person."""
    if get_origin(hint) is Literal:
        return ", ".join(get_args(hint))
    if get_origin(hint) is Annotated:
        return hint.__metadata__[0].description or ANY_TEXT
    inner = get_args(hint)  # of a tuple, or of a type that may be None
    return allowed_for(inner[0]) if inner else ANY_TEXT


def _words(hint: Any) -> Iterator[str]:
    """Yield the words that a variable of this type may be."""
    for each in get_args(hint):
        if get_origin(hint) is Literal:
            yield each
        else:
            yield from _words(each)


def own_service(environment: Mapping[str, str]) -> str:
    """Return what logs and metrics call this program: on Lambda the function's name."""
    return read_text(environment, LAMBDA_FUNCTION) or "kinesis-handler"


def read_text(environment: Mapping[str, str], name: str, allowed: str = ANY_TEXT) -> str:
    """Return the value of a variable, or an empty text.

    Args:
        environment: the variables.
        name: of the variable.
        allowed: what it may be, for a person.

    Raises ConfigurationError that names the variable, its value and what is allowed, if it is white space.
    """
    value = environment.get(name, "")
    text = value.strip()
    if value and not text:
        raise wrong(name, value, allowed)
    return text


def read_matching(environment: Mapping[str, str], name: str, pattern: str, allowed: str) -> str:
    """Return the value of a variable that matches a pattern, or an empty text.

    Raises ConfigurationError as `read_text` does, and for a value that does not match.
    """
    value = read_text(environment, name, allowed)
    if value and not re.fullmatch(pattern, value):
        raise wrong(name, value, allowed)
    return value


def is_on_lambda(environment: Mapping[str, str]) -> bool:
    """Tell whether this is a Lambda function."""
    return bool(environment.get(LAMBDA_FUNCTION))


def wrong(name: str, value: str, allowed: str) -> ConfigurationError:
    """Return the error for a value that a variable must not have."""
    return ConfigurationError(f"{name} is {value!r}; allowed: {allowed}")


def _convert(variable: str, text: str, hint: Any) -> Any:
    word = text.lower() if text.lower() in _words(hint) else text
    try:
        return msgspec.convert(word, hint, strict=False)
    except msgspec.ValidationError as error:
        raise wrong(variable, text, allowed_for(hint)) from error
