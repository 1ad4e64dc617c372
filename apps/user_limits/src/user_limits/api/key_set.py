"""Fetches a JSON Web Key Set from a URL or a file within a deadline, and parses its keys.

Source: https://www.rfc-editor.org/rfc/rfc7517#section-5
"""

import socket
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from threading import Timer
from typing import Any, cast

import msgspec
from joserfc.jwk import ECKey, RSAKey

Key = RSAKey | ECKey

FETCH_TIMEOUT = 3.0
"""Seconds that the server may be silent."""

FETCH_DEADLINE = 5.0
"""Seconds for the whole fetch, however steadily the server sends."""

MAX_BYTES = 262_144

SMALLEST_RSA = 2_048
"""Smallest accepted RSA key, in bits."""


def parse_keys(content: bytes) -> Mapping[str, Key]:
    """Return the keys of a JSON Web Key Set that can check signatures, without the others.

    Raises ValueError if the content is not a key set.
    """
    try:
        parsed = msgspec.json.decode(content, type=_KeySet)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"it is no JSON Web Key Set: {error}") from error
    keys: dict[str, Key] = {}
    for each in parsed.keys:
        key = _key(each)
        if key is not None:
            keys[each["kid"]] = key
    return keys


class _KeySet(msgspec.Struct):
    keys: list[dict[str, Any]]


def _key(fields: dict[str, Any]) -> Key | None:
    if not isinstance(fields.get("kid"), str) or fields.get("use", "sig") != "sig":
        return None
    try:
        match fields:
            case {"kty": "RSA"}:
                rsa = RSAKey.import_key(fields)
                return rsa if rsa.public_key.key_size >= SMALLEST_RSA else None
            case {"kty": "EC", "crv": "P-256"}:
                return ECKey.import_key(fields)
    except Exception:  # noqa: BLE001 - one broken key must not affect the others
        return None
    return None


def fetcher(
    url: str, *, timeout: float = FETCH_TIMEOUT, deadline: float = FETCH_DEADLINE
) -> Callable[[], bytes]:
    """Return a function that fetches the key set at a URL: `https:`, or `file:`.

    The function raises an exception if it fails, at the latest at the deadline; only resolving the host's
    name may take longer.

    Args:
        url: the URL of the key set.
        timeout: seconds that the server may be silent.
        deadline: seconds for the whole fetch.
    """

    def fetch() -> bytes:
        opened = _OpenSocket()
        opener = urllib.request.build_opener(_NoRedirects, _TrackedRequests(opened))
        # The time-out restarts with each byte: a server that sends single bytes never exceeds it.
        timer = Timer(deadline, opened.cut)
        timer.daemon = True
        timer.start()
        try:
            with opener.open(url, timeout=timeout) as response:
                content: bytes = response.read(MAX_BYTES + 1)
        except Exception as error:
            if opened.is_cut:
                raise _late(deadline) from error
            raise
        finally:
            timer.cancel()
        if opened.is_cut:  # a cut response looks complete
            raise _late(deadline)
        if len(content) > MAX_BYTES:
            raise ValueError(f"the key set has more than {MAX_BYTES} bytes")
        return content

    return fetch


def _late(deadline: float) -> TimeoutError:
    return TimeoutError(f"the key set was not complete within {deadline:g} s")


class _OpenSocket:
    """The socket of one fetch, which another thread can shut down: the reader then sees its end."""

    def __init__(self) -> None:
        self.is_cut = False
        self._socket: socket.socket | None = None

    def use(self, connected: socket.socket) -> None:
        self._socket = connected
        if self.is_cut:
            self.cut()

    def cut(self) -> None:
        self.is_cut = True
        if self._socket is not None:
            with suppress(OSError):  # closed already
                # Not the method of a TLS socket: it would modify the socket while the other thread reads.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class _TrackedConnection(HTTPConnection):
    """A connection that registers each socket that it opens: the response outlives it."""

    def __init__(self, host: str, *, opened: _OpenSocket, **options: Any) -> None:
        self._opened = opened
        super().__init__(host, **options)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "sock" and value is not None:
            self._opened.use(value)


class _TrackedSecureConnection(_TrackedConnection, HTTPSConnection):
    """A tracked connection with TLS; the time-out covers the whole handshake."""


class _TrackedRequests(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Opens tracked connections."""

    def __init__(self, opened: _OpenSocket) -> None:
        super().__init__()
        self._opened = opened

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(cast("Any", _TrackedConnection), req, opened=self._opened)

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(cast("Any", _TrackedSecureConnection), req, opened=self._opened)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Refuses redirects: the keys are at the configured URL, and not at another."""

    def redirect_request(self, *_: Any) -> None:
        """Return None: the redirect becomes an HTTPError."""
