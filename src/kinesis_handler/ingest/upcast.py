"""Turns payloads of older versions into the newest one, before they are decoded. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct

from kinesis_handler.errors import ConfigurationError, RejectedError, raised
from kinesis_handler.functions import require_plain, unrun
from kinesis_handler.ingest.facts import FieldError

Upcaster = Callable[[Any], Any]
"""Returns the payload of the next version. It gets decoded JSON of its own, with Decimal for fractions."""

Upcasters = Mapping[tuple[str, int], Upcaster]
"""Upcasters by event type and the version that they take: `{("PARCEL_SCANNED", 1): from_v1}`."""

_VERSION = re.compile(
    r"(?:^[vV]?|[/:#?=@][vV]?|[._-][vV])(\d{1,9})(?:\.\d{1,9}){0,2}(?:\.json)?/?$", re.ASCII
)
"""A version at the end of a text, such as `2`, `v2`, `2.1`, `urn:bank:deposited:v2` or `https://…/deposited/2`."""


class Chain(Struct, frozen=True):
    """The upcasters of one event type.

    Args:
        oldest: the version that the first of them takes.
        steps: each makes the next version of what it gets.
    """

    oldest: int
    steps: tuple[Upcaster, ...]

    @property
    def newest(self) -> int:
        """The version that the schema is for."""
        return self.oldest + len(self.steps)

    def apply(self, payload: object, version: int, path: str) -> object:
        """Return the payload in the newest version.

        Raises FieldError if there is no way to it, and ValueError if an upcaster raises. Only the text of a
        RejectedError is passed on: any other may quote the payload.
        """
        if not self.oldest <= version <= self.newest:
            raise FieldError(f"Version {version} is not one of {self.oldest} to {self.newest}", path)
        for number, step in enumerate(self.steps[version - self.oldest :], start=version):
            try:
                payload = step(payload)
            except RejectedError as error:
                raise ValueError(str(error)) from None
            except Exception as error:  # noqa: BLE001 - a pure function will raise it again
                raise ValueError(f"The upcaster of version {number}: {raised(error)}") from None
            if unrun(payload) is not None:
                raise ValueError(f"The upcaster of version {number} returned what has not run yet")
        return payload


def version_number(version: object, path: str) -> int:
    """Return the version that an envelope names: 1 if it names none.

    Raises FieldError if it is neither an integer from 1 up nor a text that ends with one.
    """
    if isinstance(version, Raw):
        version = msgspec.json.decode(version)
    if version is None or version is UNSET:
        return 1
    if isinstance(version, str) and (found := _VERSION.search(version)) is not None:
        version = int(found[1])
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise FieldError("Expected a version: an integer from 1 up, or a text that ends with one", path)
    return version


def chains(upcasters: Upcasters, event_types: Mapping[str, Any], processor: str) -> dict[str, Chain]:
    """Return the chain of each event type.

    Args:
        upcasters: of a processor.
        event_types: that it takes.
        processor: its name.

    Raises ConfigurationError if an upcaster takes no version of one of its types, or if one is missing
    between the oldest and the newest.
    """
    versions: dict[str, dict[int, Upcaster]] = {}
    for key, function in upcasters.items():
        event_type, version = _checked_key(key, event_types, processor)
        name = f"the upcaster of {event_type!r}, version {version}, of {processor}"
        if not callable(function):
            raise ConfigurationError(f"{name} is {function!r}; allowed: a function of a payload")
        require_plain(function, name)
        versions.setdefault(event_type, {})[version] = function
    for event_type, steps in versions.items():
        oldest, last = min(steps), max(steps)
        if missing := [each for each in range(oldest, last) if each not in steps]:
            raise ConfigurationError(
                f"{processor} has upcasters of {event_type!r} from version {oldest} to {last + 1}, and none "
                f"that takes version {missing[0]}: older events would get no further"
            )
    return {
        event_type: Chain(min(steps), tuple(steps[each] for each in sorted(steps)))
        for event_type, steps in versions.items()
    }


def _checked_key(key: Any, event_types: Mapping[str, Any], processor: str) -> tuple[str, int]:
    match key:
        case (str() as event_type, int() as version) if not isinstance(version, bool):
            pass
        case _:
            raise ConfigurationError(
                f"{processor} has an upcaster of {key!r}; "
                "allowed: an event type and a version, such as ('OPENED', 1)"
            )
    if event_type not in event_types:
        raise ConfigurationError(
            f"{processor} has an upcaster of {event_type!r}, which it does not take; "
            f"allowed: {', '.join(map(repr, event_types))}"
        )
    if version < 1:
        raise ConfigurationError(
            f"{processor} has an upcaster of {event_type!r}, version {version}; allowed: from 1 up"
        )
    return event_type, version
