"""Checks of what the functions of a projection return. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from types import UnionType
from typing import (
    Annotated,
    Any,
    ForwardRef,
    Generic,
    Literal,
    NewType,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    is_typeddict,
)

from kinesis_handler.errors import ConfigurationError, InvalidResultError, UnstorableError
from kinesis_handler.functions import UNRUN, unrun
from kinesis_handler.outcome import DELETED, Remark, Remarked
from kinesis_handler.storable import key_problem

State = TypeVar("State", covariant=True)  # noqa: PLC0105 - as in outcome.Remarked


class StateCheck(Generic[State]):
    """Checks what `apply` returns.

    Args:
        projection: its name, for the message.
        state_type: type of the states; Any if it is not declared.
    """

    def __init__(self, projection: str, state_type: Any) -> None:
        self._projection = projection
        self._expected = "a state" if state_type is Any else _name(state_type)
        self.classes = tuple(classes_of(state_type))
        """Classes of a state; a result of another class needs a closer look."""

    def unpack(self, result: Any) -> tuple[State | None, tuple[Remark, ...]]:
        """Return the state that a result is or holds, None for `DELETED`, and the remarks on it.

        Raises InvalidResultError, which names classes and no value, if there is none.
        """
        if not isinstance(result, Remarked):
            if result is not DELETED and not self._is_state(result):
                raise self._error(described(result))
            return None if result is DELETED else result, ()
        if result.state is not DELETED and not self._is_state(result.state):
            raise self._error(f"a Remarked of {described(result.state)}")
        remarks: Any = result.remarks
        if not (isinstance(remarks, tuple) and all(isinstance(each, Remark) for each in remarks)):
            raise self._error("a Remarked whose remarks are no tuple of Remark")
        return None if result.state is DELETED else result.state, remarks

    def _is_state(self, state: object) -> bool:
        if state is None or isinstance(state, UNRUN):
            return False
        if state.__class__ is bool:  # an int to Python, and to no store
            return bool in self.classes or object in self.classes
        return isinstance(state, self.classes)

    def _error(self, returned: str) -> InvalidResultError:
        expected = f"{self._expected}, DELETED, or a Remarked of one of these"
        return InvalidResultError(f"`apply` of {self._projection} returned {returned}; expected: {expected}")


def checked_key(key: Any, projection: str) -> tuple[str, str]:
    """Return the key that `key` returned.

    Raises InvalidResultError if it is not two strings, and UnstorableError if no store can hold it.
    """
    if not (isinstance(key, tuple) and len(key) == 2):  # noqa: PLR2004 - partition and sort
        raise _key_error(described(key), projection)
    partition, sort = key
    if not (isinstance(partition, str) and isinstance(sort, str)):
        raise _key_error(f"a tuple of {described(partition)} and {described(sort)}", projection)
    if not (key.__class__ is tuple and partition.__class__ is str and sort.__class__ is str):
        # A named tuple, or members of an Enum: not every store knows them.
        key = str.__str__(partition), str.__str__(sort)
    if (problem := key_problem(key)) is not None:
        raise UnstorableError(problem)
    return cast("tuple[str, str]", key)


def checked_keys(keys: Any, projection: str) -> list[tuple[str, str]]:
    """Return the keys that `keys` returned, each once, in their order.

    Raises InvalidResultError if they are no collection of keys, and else as `checked_key` does.
    """
    if keys is None or isinstance(keys, (str, bytes, *UNRUN)) or not isinstance(keys, Iterable):
        raise InvalidResultError(
            f"`keys` of {projection} returned {described(keys)}; expected: a list of keys, each a tuple of "
            "two strings"
        )
    return list(dict.fromkeys(checked_key(key, projection) for key in keys))


def _key_error(returned: str, projection: str) -> InvalidResultError:
    expected = "a tuple of two strings, neither of them empty"
    return InvalidResultError(f"`key` of {projection} returned {returned}; expected: {expected}")


def described(value: object) -> str:
    """Describe a wrong result by its type, without its value. A coroutine or generator is closed."""
    if value is None:
        return "None"
    return unrun(value) or f"a value of the type {type(value).__qualname__}"


def agreed_state_type(projection: type, base: type, repository: object) -> Any:
    """Return the type of the states: as the projection declares it, or else as the repository does.

    Raises ConfigurationError if both do and they differ: what one writes, the other could not read.
    """
    of_projection = state_type_of(projection, base)
    of_repository = getattr(repository, "state_type", Any)
    if Any not in (of_projection, of_repository) and of_projection != of_repository:
        raise ConfigurationError(
            f"{projection.__qualname__} makes states of type {of_projection}, and its repository keeps "
            f"{of_repository}"
        )
    return of_projection if of_projection is not Any else of_repository


def state_type_of(kind: type, base: type) -> Any:
    """Return the first type argument that a class gives its generic base; Any if it gives none.

    Args:
        kind: a subclass of `base`, however far below it.
        base: a generic class.
    """
    said = _argument(kind, base, {})
    if isinstance(said, ForwardRef):  # `Projection["Limit"]`
        return getattr(import_module(kind.__module__), said.__forward_arg__, Any)
    return Any if isinstance(said, TypeVar) else said


def _argument(kind: type, base: type, known: Mapping[Any, Any]) -> Any:
    for each in kind.__dict__.get("__orig_bases__", kind.__bases__):
        origin = get_origin(each) or each
        arguments = [known.get(argument, argument) for argument in get_args(each)]
        if origin is base:
            return arguments[0] if arguments else Any
        if isinstance(origin, type) and issubclass(origin, base):
            parameters = getattr(origin, "__parameters__", ())
            return _argument(origin, base, dict(zip(parameters, arguments, strict=False)))
    return Any


def classes_of(kind: Any) -> Iterator[type]:
    """Return the classes whose instances are of a type, as far down as `isinstance` looks."""
    origin = get_origin(kind)
    if isinstance(kind, UnionType) or origin is Union:
        for each in get_args(kind):
            yield from classes_of(each)
    elif origin is Literal:
        yield from map(type, get_args(kind))
    elif origin is Annotated:
        yield from classes_of(kind.__origin__)
    elif isinstance(kind, NewType):
        yield from classes_of(kind.__supertype__)
    elif is_typeddict(kind):
        yield dict
    elif kind is float:
        yield from (float, int)
    else:
        kind = origin or kind
        is_class = isinstance(kind, type) and kind is not Any and not getattr(kind, "_is_protocol", False)
        yield kind if is_class else object


def _name(kind: Any) -> str:
    return getattr(kind, "__qualname__", str(kind)) if get_origin(kind) is None else str(kind)
