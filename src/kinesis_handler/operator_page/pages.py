"""The files of the page, read once."""

import hashlib
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import NamedTuple

import msgspec

from kinesis_handler import page_parts
from kinesis_handler.application import Operators
from kinesis_handler.operator_page.description import describe

FOLDER = Path(__file__).parent / "files"

PREFIX = "/operator"

CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}


class File(NamedTuple):
    """A file as it is sent."""

    content: bytes
    content_type: str
    tag: str


def page_files(operators: Operators | None) -> Mapping[str, File]:
    """Return the files by their paths; the page itself is at the prefix, and where an issuer sends back to.

    Args:
        operators: where an operator signs in; None if nobody has to.
    """
    files = [*sorted(page_parts.FOLDER.iterdir()), *sorted(FOLDER.iterdir())]
    contents = {path.name: path.read_bytes() for path in files if path.suffix in CONTENT_TYPES}
    index = contents.pop("index.html").replace(b"</head>", f"{_metas(operators)}</head>".encode(), 1)
    page = _file(index, ".html")
    paths = {f"{PREFIX}/{name}": _file(content, Path(name).suffix) for name, content in contents.items()}
    description = msgspec.json.encode(describe(with_tokens=operators is not None))
    paths[f"{PREFIX}/openapi.json"] = _file(description, ".json")
    return {**paths, PREFIX: page, f"{PREFIX}/": page, f"{PREFIX}/signed-in": page}


def _file(content: bytes, suffix: str) -> File:
    digest = hashlib.blake2b(content, digest_size=12).hexdigest()
    return File(content, CONTENT_TYPES[suffix], f'"{digest}"')


def _metas(operators: Operators | None) -> str:
    if operators is None:
        return ""
    options = {
        "oidc-issuer": operators.issuer,
        "oidc-client-id": operators.client_id,
        "oidc-scope": operators.scope,
    }
    return "".join(f'  <meta name="{name}" content="{escape(value)}">\n' for name, value in options.items())
