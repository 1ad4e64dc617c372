"""Reads settings from environment variables, by one rule for the library and its applications. Pure.

A variable that is missing or empty has its default. White space alone is an error: the value was probably
lost. White space around a value is stripped.
"""

import re
from collections.abc import Mapping, Sequence

from kinesis_handler.errors import ConfigurationError

LAMBDA_FUNCTION = "AWS_LAMBDA_FUNCTION_NAME"
"""Variable that only Lambda sets: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""


def read_text(environment: Mapping[str, str], name: str, allowed: str = "any text, or leave it out") -> str:
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


def read_choice(environment: Mapping[str, str], name: str, allowed: Sequence[str], default: str) -> str:
    """Return the word that a variable holds, in lower case; its own case does not matter.

    Raises ConfigurationError as `read_text` does, and for any other word.
    """
    value = read_text(environment, name, ", ".join(allowed)) or default
    if value.lower() not in allowed:
        raise wrong(name, value, ", ".join(allowed))
    return value.lower()


def read_integer(environment: Mapping[str, str], name: str, minimum: int, default: int) -> int:
    """Return the whole number that a variable holds.

    Raises ConfigurationError as `read_text` does, and for anything else, or less than the minimum.
    """
    allowed = f"a whole number from {minimum} up"
    value = read_text(environment, name, allowed)
    if not value:
        return default
    if not re.fullmatch("[0-9]{1,18}", value) or int(value) < minimum:
        raise wrong(name, value, allowed)
    return int(value)


def is_on_lambda(environment: Mapping[str, str]) -> bool:
    """Tell whether this is a Lambda function."""
    return bool(environment.get(LAMBDA_FUNCTION))


def wrong(name: str, value: str, allowed: str) -> ConfigurationError:
    """Return the error for a value that a variable must not have."""
    return ConfigurationError(f"{name} is {value!r}; allowed: {allowed}")
