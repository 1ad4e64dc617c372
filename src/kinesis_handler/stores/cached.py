"""A repository that need not read what its process has written last.

    load ──▶ remembered? ─┬─ no ──▶ read
                          └─ yes ─▶ handed out, and forgotten ──▶ written on its condition ──▶ remembered
                                                              ├─▶ conflict ──────────────────▶ read
                                                              └─▶ nothing to write ──────────▶ read

What is handed out may be stale: another process may have written since. The conditional write finds that
out, as it does for every other race. Where nothing is to be written, nothing has been found out: then the key
is loaded again, and read. So a decision rests on what is stored, with the memory or without.
"""

import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import count
from typing import Any, cast

import msgspec

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.ingest.schema import CODEC_ERRORS
from kinesis_handler.stores import Change, Loaded, Repository, Saved, State
from kinesis_handler.stores.expiry import Expiry
from kinesis_handler.stores.forwarding import ForwardingRepository
from kinesis_handler.stores.recent import RecentDocuments
from kinesis_handler.telemetry.metrics import count as count_metric

KEYS_READ, KEYS_REMEMBERED = "keys_read", "keys_remembered"
"""Counters of a batch: the keys that were read from the store, and those that need not be."""

_numbers = count()


class CachedRepository(ForwardingRepository[State]):
    """Wraps a repository, and remembers what is saved through it, for the next `load` of its key.

    An aggregate is remembered only after its own write has been answered: its version is what is stored, and
    when it expires is known. One that is parked is not: a redrive, in another process, is about to change it.

    Args:
        repository: stores the aggregates.
        recent: remembers them; several repositories may share it.
        state_type: of the states; None for that of the repository.
        expiry: of the repository; None for its own.
        clock: seconds since epoch.
    """

    def __init__(
        self,
        repository: Repository[State],
        recent: RecentDocuments,
        *,
        state_type: type[State] | None = None,
        expiry: Expiry | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.state_type: Any = state_type or getattr(repository, "state_type", Any)
        self._repository = repository
        self._recent = recent
        self._number = next(_numbers)
        self._expiry = expiry or cast("Expiry", getattr(repository, "expiry", Expiry()))
        self._clock = clock
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(Aggregate[self.state_type | None]).decode  # type: ignore[name-defined]

    def load(self, keys: Collection[Key]) -> Loaded[State]:
        """See `Repository.load`. What is remembered is named in `remembered`, and may be stale."""
        loaded: Loaded[State] = Loaded({})
        for key, document in self._recent.take(self._number, keys, self._clock()).items():
            try:
                loaded.add(self._decode(document))
            except Exception:  # noqa: BLE001, S112 - a state's own check may raise anything: it is read instead
                continue
            loaded.remembered.add(key)
        unknown = [key for key in keys if key not in loaded.remembered]
        if unknown:
            read = self._repository.load(unknown)
            loaded.found |= read.found
            loaded.vacant |= read.vacant
            loaded.failed |= read.failed
            loaded.remembered |= read.remembered
        count_metric(KEYS_READ, len(unknown))
        count_metric(KEYS_REMEMBERED, len(keys) - len(unknown))
        return loaded

    def save(self, changes: Sequence[Change[State]]) -> Saved:
        """See `Repository.save`. Only what is known to be written is remembered."""
        now = self._clock()
        self._forget([change.key for change in changes])
        saved = self._repository.save(changes)
        unsaved = saved.conflicts | saved.failed.keys()
        written = (change.after for change in changes if change.key not in unsaved)
        self._recent.put(self._number, self._documents(written, now))
        return saved

    def delete(self, keys: Collection[Key]) -> None:
        """See `Repository.delete`."""
        self._forget(keys)
        self._repository.delete(keys)

    def _read(self) -> Repository[State]:
        return self._repository

    def _forget(self, keys: Collection[Key]) -> None:
        self._recent.take(self._number, keys, math.inf)

    def _documents(
        self, written: Iterator[Aggregate[State | None]], now: float
    ) -> Iterator[tuple[Key, bytes, float]]:
        """Yield what can be remembered; what has expired by `now` and its time to live is not."""
        for aggregate in written:
            if aggregate.parked is not None:
                continue
            try:
                document = self._encode(aggregate)
            except CODEC_ERRORS:  # it is read again instead
                continue
            seconds = self._expiry.seconds(aggregate)
            yield aggregate.key, document, now + seconds if seconds else math.inf
