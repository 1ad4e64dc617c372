"""The public keys of whoever issues tokens, from a URL or a file: kept, and fetched again as they change."""

import time
import urllib.request
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

import msgspec
import structlog
from joserfc.jwk import ECKey, RSAKey

from user_limits.api.problems import unavailable

Key = RSAKey | ECKey

MAX_AGE = 600
"""Seconds after which keys are fetched again, so that one which was withdrawn is not trusted for longer."""

MAX_STALE = 3_600
"""Seconds for which keys are still trusted while they cannot be fetched."""

PAUSE = 30
"""Seconds between two fetches, whatever keys are asked for: anybody can make up key ids."""

FETCH_TIMEOUT = 3.0
MAX_BYTES = 262_144

SMALLEST_RSA = 2_048
"""Bits."""


class KeySource:
    """The keys, by their ids.

    Args:
        fetch: gets the JSON Web Key Set.
        clock: seconds.
    """

    def __init__(self, fetch: Callable[[], bytes], clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = Lock()
        self._keys: Mapping[str, Key] = {}
        self._fetched = float("-inf")
        self._tried = float("-inf")

    def find(self, kid: str) -> Key | None:
        """Return the key of an id; None if there is none.

        An unknown id may be that of a new key: the keys are fetched again, unless they just were.

        Raises ProblemError if the keys cannot be had.
        """
        if self._wants_fetch(kid):
            with self._lock:
                if self._wants_fetch(kid):  # not if another thread has done it meanwhile
                    self._refresh()
        if self._clock() - self._fetched > MAX_STALE:
            raise unavailable(ConnectionError("the keys that tokens are checked with cannot be fetched"))
        return self._keys.get(kid)

    def _wants_fetch(self, kid: str) -> bool:
        now = self._clock()
        return now - self._tried >= PAUSE and (kid not in self._keys or now - self._fetched >= MAX_AGE)

    def _refresh(self) -> None:
        self._tried = self._clock()
        try:
            self._keys = parse_keys(self._fetch())
            self._fetched = self._tried
        except Exception as error:  # noqa: BLE001 - whatever it is, the keys that are known hold on
            structlog.get_logger(component="api").warning(
                "keys not fetched", error=type(error).__name__, reason=str(error)
            )


def parse_keys(content: bytes) -> Mapping[str, Key]:
    """Return the keys of a JSON Web Key Set that can check signatures, and leave out the others.

    Raises an error of msgspec if it is no such set.
    """
    parsed = msgspec.json.decode(content, type=_KeySet)
    keys: dict[str, Key] = {}
    for each in parsed.keys:
        key = _key(each)
        if key is not None:
            keys[each["kid"]] = key
    return keys


class _KeySet(msgspec.Struct):
    keys: list[dict[str, Any]]


def _key(told: dict[str, Any]) -> Key | None:
    if not isinstance(told.get("kid"), str) or told.get("use", "sig") != "sig":
        return None
    try:
        match told:
            case {"kty": "RSA"}:
                rsa = RSAKey.import_key(told)
                return rsa if rsa.public_key.key_size >= SMALLEST_RSA else None
            case {"kty": "EC", "crv": "P-256"}:
                return ECKey.import_key(told)
    except Exception:  # noqa: BLE001 - one broken key does not take the others with it
        return None
    return None


def fetcher(url: str) -> Callable[[], bytes]:
    """Return what gets the set at a URL: `https:`, or `file:`."""
    opener = urllib.request.build_opener(_NoRedirects)

    def fetch() -> bytes:
        with opener.open(url, timeout=FETCH_TIMEOUT) as response:
            content: bytes = response.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError(f"the key set has more than {MAX_BYTES} bytes")
        return content

    return fetch


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The keys are where the setting says, and not where that place sends to."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none: it ends as an HTTPError."""
