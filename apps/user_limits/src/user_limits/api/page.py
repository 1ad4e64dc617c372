"""Serves the page that shows a user's limits: files, read once, at the root."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from litestar import get
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct
from msgspec.structs import asdict

from kinesis_handler.page_parts import INDEX, read_page
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
    metas = {name.replace("_", "-"): value for name, value in asdict(options or PageOptions()).items()}
    assets = {name: Asset(*each) for name, each in read_page(folder, metas).items()}
    paths = {f"/{name}": asset for name, asset in assets.items()}
    paths |= dict.fromkeys(("/", "/users/{userId:str}", "/signed-in"), assets[INDEX])
    return [asset_route([path], asset) for path, asset in paths.items()]


def asset_route(paths: Sequence[str], asset: Asset) -> HTTPRouteHandler:
    """Return the handler that sends an asset."""

    @get(list(paths), include_in_schema=False, sync_to_thread=False)
    def send_asset() -> Asset:
        return asset

    return send_asset
