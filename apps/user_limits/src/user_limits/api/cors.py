"""Decides which pages of other origins may read the answers. Pure."""

from collections.abc import Sequence

Headers = list[tuple[bytes, bytes]]


class Cors:
    """Allows origins, each as a browser writes it (`https://shop.example`); `*` for any.

    Cookies are ignored, so a page can read only what it has a token for.
    """

    def __init__(self, origins: Sequence[str] = ()) -> None:
        self._origins = frozenset(origins)

    def headers(self, origin: str | None) -> Headers:
        """Return the headers of an answer to a page of this origin."""
        if not self._origins:
            return []
        # Also for other origins: no cache may give the answer for one origin to another.
        headers = [(b"vary", b"Origin")]
        if origin is not None and self._allows(origin):
            headers.append((b"access-control-allow-origin", origin.encode("latin-1")))
            headers.append((b"access-control-expose-headers", b"ETag, Link, Retry-After, X-Correlation-Id"))
        return headers

    def preflight_headers(self, origin: str | None) -> Headers:
        """Return the headers of an answer to a preflight request; none if it is not allowed."""
        if not self._allows(origin):
            return []
        return [
            (b"access-control-allow-methods", b"GET, HEAD"),
            (b"access-control-allow-headers", b"Authorization, If-None-Match, X-Correlation-Id"),
            (b"access-control-max-age", b"600"),
        ]

    def _allows(self, origin: str | None) -> bool:
        return origin is not None and ("*" in self._origins or origin in self._origins)
