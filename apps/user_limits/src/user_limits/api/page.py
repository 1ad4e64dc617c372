"""Serves the page that shows a user's limits: files, read once, at the root."""

import hashlib
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from litestar import get
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct
from msgspec.structs import asdict

from kinesis_handler import page_parts
from user_limits.api.conditional_json import header
from user_limits.api.etag import is_known


class PageOptions(Struct, frozen=True, kw_only=True):
    """What the page is told by the settings.

    Args:
        help_text: a line for a player who has reached a limit; empty for none.
        help_url: where the line leads; empty for nowhere.
        oidc_issuer: where its reader signs in; empty if no token is needed.
        oidc_client_id: what the page is called there.
        oidc_scope: what it asks for there.
    """

    help_text: str = ""
    help_url: str = ""
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_scope: str = ""


FOLDER = Path(__file__).parent / "page"
INDEX = "index.html"

CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".webmanifest": "application/manifest+json",
}


class Asset:
    """An ASGI application that sends one file.

    Args:
        content: the content of the file.
        content_type: the type of the content.
    """

    def __init__(self, content: bytes, content_type: str) -> None:
        self._content = content
        self._tag = f'W/"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
        self._headers = [(b"etag", self._tag.encode()), (b"cache-control", b"no-cache")]
        self._content_type = (b"content-type", content_type.encode())

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        """Send the file, or 304 if the caller has it."""
        headers, body, status = self._headers, b"", 304
        if not is_known(self._tag, header(scope, b"if-none-match")):
            length = (b"content-length", b"%d" % len(self._content))
            headers, body, status = [*self._headers, self._content_type, length], self._content, 200
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


def page_routes(options: PageOptions | None = None, folder: Path = FOLDER) -> list[HTTPRouteHandler]:
    """Return the handlers: each file at its name, the page itself at `/`, `/users/{userId}`, `/signed-in`."""
    files = [*sorted(page_parts.FOLDER.iterdir()), *sorted(folder.iterdir())]
    contents = {path.name: path.read_bytes() for path in files if path.suffix in CONTENT_TYPES}
    contents[INDEX] = _with_options(contents[INDEX], options or PageOptions())
    assets = {name: Asset(content, CONTENT_TYPES[Path(name).suffix]) for name, content in contents.items()}
    paths = {f"/{name}": asset for name, asset in assets.items()}
    paths |= dict.fromkeys(("/", "/users/{userId:str}", "/signed-in"), assets[INDEX])
    return [asset_route([path], asset) for path, asset in paths.items()]


def _with_options(index: bytes, options: PageOptions) -> bytes:
    """Return the page with the options in its head, one `meta` for each that is set."""
    metas = "".join(
        f'  <meta name="{field.replace("_", "-")}" content="{escape(value)}">\n'
        for field, value in asdict(options).items()
        if value
    )
    return index.replace(b"</head>", f"{metas}</head>".encode(), 1)


def asset_route(paths: Sequence[str], asset: Asset) -> HTTPRouteHandler:
    """Return the handler that sends an asset."""

    @get(list(paths), include_in_schema=False, sync_to_thread=False)
    def send_asset() -> Asset:
        return asset

    return send_asset
