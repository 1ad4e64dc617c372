"""Reads all that a store has, a chunk at a time: with what is vacant, and with what is damaged."""

from collections.abc import Iterator

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import UnreadableError
from kinesis_handler.stores import Repository, State

Item = Aggregate[State | None] | UnreadableError
"""What is stored under a key; if it is damaged, or of another type, why it cannot be read."""

Chunk = dict[Key, Item[State]]
"""Items by their keys, in the order in which a store returns them."""


def named(key: Key, repository: str) -> str:
    """Return how a key is named to a person, with its repository if that is not the first one."""
    return f"{key[0]} {key[1]}{repository and f', {repository}'}"


def chunks_of(repository: Repository[State], size: int, after: Key | None = None) -> Iterator[Chunk[State]]:
    """Yield all items of a store, or those behind a key, about `size` at a time."""
    chunk: Chunk[State] = {}
    for aggregate in repository.scan_stored(after, on_unreadable=chunk.__setitem__):
        chunk[aggregate.key] = aggregate
        if len(chunk) >= size:
            yield chunk.copy()
            chunk.clear()
    if chunk:
        yield chunk
