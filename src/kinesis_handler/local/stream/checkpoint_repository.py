"""Finds a stream's checkpoints in a store: with the states that what was read has led to.

So neither is lost alone. Their table is none of the store's own: a handler does without it.
"""

from kinesis_handler.errors import ConfigurationError
from kinesis_handler.local.stream.checkpoint_store import Checkpoint
from kinesis_handler.stores import Repository, Store, Table


def checkpoints_in(store: Store) -> Repository[Checkpoint]:
    """Open the repository of the checkpoints, and make its table if there is none.

    Raises ConfigurationError if it cannot be opened, or its table may not be made.
    """
    repository, table = _open(store)
    if table is not None and not table.exists():
        try:
            table.create()
        except ConfigurationError:
            if not table.exists():  # else another process has made it meanwhile
                raise
    return repository


def known_checkpoints_in(store: Store) -> Repository[Checkpoint] | None:
    """Open the repository of the checkpoints to look at them; None if no other process can have made any.

    Raises ConfigurationError if it cannot be opened, and RepositoryError if its table cannot be looked up.
    """
    repository, table = _open(store)
    return None if store.in_memory or (table is not None and not table.exists()) else repository


def checkpoint_table_in(store: Store) -> Table | None:
    """Return the table of the checkpoints, there or not; None in a store that needs none."""
    return _open(store)[1]


def _open(store: Store) -> tuple[Repository[Checkpoint], Table | None]:
    return store.beside(Checkpoint, ("stream", "shard"), name="checkpoints")
