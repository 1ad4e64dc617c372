"""Provides the public keys of the token issuer: known ones at once, new ones as soon as they are published.

One fetch runs at a time, in its own thread. A request with a known key does not wait for it, unless the known
keys may be out of date. A request that does wait does so for a few seconds, without a thread.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from math import ceil
from threading import Lock, Thread

import structlog

from user_limits.api.key_set import Key, parse_keys
from user_limits.api.problems import ProblemError

REFRESH_AFTER = 300
"""Seconds after which keys are fetched again while they are used."""

MAX_AGE = 600
"""Seconds after which a request waits for a fetch, so that a withdrawn key is not trusted for longer."""

MAX_STALE = 3_600
"""Seconds for which keys are still trusted while they cannot be fetched."""

PAUSE = 10
"""Seconds from the start of a fetch to that of the next: anybody can invent key ids."""

WAIT = 3.0
"""Seconds that a request waits for a fetch."""


class KeySource:
    """The keys, by their ids.

    Args:
        fetch: fetches the JSON Web Key Set. It must end by itself.
        clock: seconds.
        wait: seconds that a request waits for a fetch.
        refresh_after: seconds after which keys are fetched again while they are used. If nothing runs between
            requests, as on Lambda, at least `MAX_AGE`: there a request has to wait for the fetch.
    """

    def __init__(
        self,
        fetch: Callable[[], bytes],
        clock: Callable[[], float] = time.monotonic,
        *,
        wait: float = WAIT,
        refresh_after: float = REFRESH_AFTER,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._wait = wait
        self._refresh_after = refresh_after
        self._lock = Lock()
        self._keys: Mapping[str, Key] = {}
        self._fetched = float("-inf")
        self._tried = float("-inf")
        self._has_failed = False
        self._fetching: Future[None] | None = None

    async def find(self, kid: str) -> Key | None:
        """Return the key with an id; None if the issuer has no such key.

        An unknown id may belong to a new key: the keys are fetched again, unless they just were.

        Raises ProblemError if that is not known: the fetch takes too long, or has failed.
        """
        age, key = self._age(), self._known(kid)
        if key is not None and age < self._refresh_after:
            return key
        fetching = self._begin_fetch()
        # While fetches fail, a request with a known key does not wait for each of them.
        if fetching is not None and (key is None or (age >= MAX_AGE and not self._has_failed)):
            await self._wait_for(fetching)
        key = self._known(kid)
        if key is None and (self._has_failed or not (fetching is None or fetching.done())):
            raise self._unavailable()
        return key

    def _age(self) -> float:
        return self._clock() - self._fetched

    def _known(self, kid: str) -> Key | None:
        return self._keys.get(kid) if self._age() <= MAX_STALE else None

    def _begin_fetch(self) -> "Future[None] | None":
        """Return the running fetch, or begin one; None if it is too soon for another."""
        with self._lock:
            now = self._clock()
            if self._fetching is not None and not self._fetching.done():
                return self._fetching
            if now - self._tried < PAUSE:
                return None
            self._tried = now
            fetching: Future[None] = Future()
            self._fetching = fetching
            fetching.set_running_or_notify_cancel()  # cancelling a wait does not cancel the fetch
        # A daemon: the process may end while the fetch still waits for a server.
        thread = Thread(target=self._refresh, args=(fetching, now), name="keys", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads are allowed
            self._end_fetch(fetching, error)
        return fetching

    def _refresh(self, fetching: "Future[None]", began: float) -> None:
        try:
            self._keys = parse_keys(self._fetch())
        except Exception as error:  # noqa: BLE001 - after any exception the known keys stay valid
            self._end_fetch(fetching, error)
        else:
            self._fetched = began
            self._end_fetch(fetching, None)

    def _end_fetch(self, fetching: "Future[None]", error: Exception | None) -> None:
        self._has_failed = error is not None
        if error is not None:
            structlog.get_logger(component="api").warning(
                "keys not fetched", error=type(error).__name__, reason=str(error)
            )
        fetching.set_result(None)

    async def _wait_for(self, fetching: "Future[None]") -> None:
        waiting = asyncio.wrap_future(fetching)
        try:
            await asyncio.wait([waiting], timeout=self._wait)
        finally:
            waiting.cancel()  # otherwise it would call a loop that may be closed by then

    def _unavailable(self) -> ProblemError:
        seconds = max(1, ceil(self._tried + PAUSE - self._clock())) if self._has_failed else 1
        return ProblemError(
            503,
            "the keys that tokens are checked with cannot be fetched now; try again",
            {"retry-after": str(seconds)},
        )
