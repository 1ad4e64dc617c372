"""Write if newer: the one write that copying, repairing and writing both stores are made of.

The replica's aggregate is read, and replaced whole where it is absent or older by its lineage, on the
condition that nobody has come in between. So it may be done again, late, and by several at once: what is in
the replica only rises.
"""

from collections.abc import Iterable, Sequence
from typing import Generic

from msgspec import Struct, field

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import RepositoryError, UnstorableError, conflict_error
from kinesis_handler.moving.lineage import is_newer
from kinesis_handler.stores import Change, Loaded, Repository, Saved, State

ROUNDS = 5  # how often a key is read and written while other writers get in between


class Written(Struct, Generic[State]):
    """What was absent or older and has been written, and what is not known to be there, and why.

    Keys in neither have been as new before, or newer.
    """

    written: list[Aggregate[State | None]] = field(default_factory=list)
    failed: dict[Key, RepositoryError | UnstorableError] = field(default_factory=dict)


def write_if_newer(
    replica: Repository[State], aggregates: Iterable[Aggregate[State | None]]
) -> Written[State]:
    """Write aggregates, at most one of each key, where the replica has none or an older one.

    Raises nothing: a replica that cannot be read or written fails the keys.
    """
    result: Written[State] = Written()
    left = {each.key: each for each in aggregates}
    for _ in range(ROUNDS):
        if not left:
            break
        try:
            stored = replica.load(left)
        except RepositoryError as error:
            stored = Loaded({}, dict.fromkeys(left, error))
        result.failed |= stored.failed
        known = stored.stored()
        changes = [
            Change(before, each)
            for key, each in left.items()
            if key not in stored.failed and ((before := known.get(key)) is None or is_newer(each, before))
        ]
        saved = _save(replica, changes)
        result.failed |= saved.failed
        unsaved = saved.conflicts | saved.failed.keys()
        result.written += [change.after for change in changes if change.key not in unsaved]
        left = {key: left[key] for key in saved.conflicts}
    result.failed |= dict.fromkeys(left, conflict_error(ROUNDS))
    return result


def write_behind(
    replica: Repository[State], changes: Sequence[Change[State]]
) -> dict[Key, RepositoryError | UnstorableError]:
    """Write to the replica what the deciding side has just saved; return the keys that failed, and why.

    The replica was brought up when the keys were loaded: most often it has what was loaded, and no further
    read is needed.
    """
    saved = _save(replica, changes)
    again = write_if_newer(replica, [change.after for change in changes if change.key in saved.conflicts])
    return saved.failed | again.failed


def _save(replica: Repository[State], changes: Sequence[Change[State]]) -> Saved:
    if not changes:
        return Saved()
    try:
        return replica.save(changes)
    except RepositoryError as error:
        return Saved(failed={change.key: error for change in changes})
