"""Reads all that a store has, a chunk at a time, and what is damaged with the rest."""

from collections.abc import Iterator
from typing import TypeVar

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import UnreadableError
from kinesis_handler.stores import ReadableRepository
from kinesis_handler.stores.part import Part

State = TypeVar("State")

Chunk = dict[Key, Aggregate[State] | UnreadableError]
"""Items by their keys, in the order in which a store returns them; of what is damaged, why."""


def chunks_of(
    repository: ReadableRepository[State], size: int, part: Part | None = None
) -> Iterator[Chunk[State]]:
    """Yield all items of a store, or of a part of it, about `size` at a time."""
    chunk: Chunk[State] = {}
    for aggregate in repository.scan(part, on_unreadable=chunk.__setitem__):
        chunk[aggregate.key] = aggregate
        if len(chunk) >= size:
            yield chunk.copy()
            chunk.clear()
    if chunk:
        yield chunk
