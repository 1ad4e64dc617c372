"""An application as the command line meets it: its handler, and the views onto what it keeps."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from msgspec import Struct

from kinesis_handler.aggregate import Aggregate
from kinesis_handler.handler import KinesisHandler
from kinesis_handler.repository import Repository

State = TypeVar("State")


class Cell(NamedTuple):
    """A cell of a table: its text, and a style as rich names them (`bold`, `red`, `dim`)."""

    text: str
    style: str = ""


class View(Struct, Generic[State], frozen=True):
    """One repository, and how what it keeps is shown.

    Args:
        name: what the aggregates are called, in the plural: `limits`.
        repository: where they are kept.
        document: an aggregate as a JSON object.
        headings: of the table's columns.
        row: an aggregate as the cells of the table's row.
    """

    name: str
    repository: Repository[State]
    document: Callable[[Aggregate[State]], object]
    headings: Sequence[str]
    row: Callable[[Aggregate[State]], Sequence[Cell]]


class Application(Struct, frozen=True):
    """What `--app package.module:name` names: a function that returns one of these.

    Args:
        handler: the very handler that runs on Lambda.
        views: the views onto what its processors keep.
    """

    handler: KinesisHandler
    views: Sequence[View[Any]] = ()
