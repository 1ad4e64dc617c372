"""The files of the page, read once."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from kinesis_handler.application import Operators
from kinesis_handler.operator_page.description import describe
from kinesis_handler.page_parts import INDEX, read_page

FOLDER = Path(__file__).parent / "files"

PREFIX = "/operator"


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
    files = {name: _file(*each) for name, each in read_page(FOLDER, _options(operators)).items()}
    page = files.pop(INDEX)
    paths = {f"{PREFIX}/{name}": file for name, file in files.items()}
    description = msgspec.json.encode(describe(with_tokens=operators is not None))
    paths[f"{PREFIX}/openapi.json"] = _file(description, "application/json")
    return {**paths, PREFIX: page, f"{PREFIX}/": page, f"{PREFIX}/signed-in": page}


def _file(content: bytes, content_type: str) -> File:
    return File(content, content_type, f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"')


def _options(operators: Operators | None) -> Mapping[str, str]:
    if operators is None:
        return {}
    return {
        "oidc-issuer": operators.issuer,
        "oidc-client-id": operators.client_id,
        "oidc-scope": operators.scope,
    }
