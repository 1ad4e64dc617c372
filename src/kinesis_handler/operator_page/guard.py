"""Decides which requests reach the page's API. Pure, but for the check of a token.

Without tokens, only requests for this machine's own names do: a page of another host could point its name to
this machine. With tokens, only those of an operator do.
"""

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from kinesis_handler.application import Operators, Refusal
from kinesis_handler.hosts import is_this_machine

SCHEME = "bearer "

Headers = Mapping[str, str]
"""Headers by their names in lower case."""


class RefusedError(Exception):
    """A request that is refused, with what it is answered."""

    def __init__(self, status: int, detail: str, headers: Headers | None = None) -> None:
        super().__init__(detail)
        self.status = HTTPStatus(status)
        self.headers = headers or {}


def check_host(headers: Headers) -> None:
    """Raise RefusedError at a request that is for another host than this machine."""
    if not is_this_machine(headers.get("host", "")):
        detail = "this is served to this machine only, by its own name or address"
        raise RefusedError(HTTPStatus.MISDIRECTED_REQUEST, detail)


def check_origin(headers: Headers) -> None:
    """Raise RefusedError at a request to change something that a page of another origin may have sent.

    Browsers say where a request comes from; a program that is none has no operator whom it could misuse. And
    a browser sends this type of content to another origin only if that has allowed it, which none has here.
    Source: https://words.filippo.io/csrf/
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        is_foreign = site != "same-origin"
    else:
        is_foreign = origin is not None and urlsplit(origin).netloc != headers.get("host", "")
    if is_foreign:
        raise RefusedError(HTTPStatus.FORBIDDEN, "this request comes from a page of another origin")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the content type is application/json")


async def operator_of(headers: Headers, operators: Operators) -> str:
    """Return the name of the operator whose token a request carries. Raises RefusedError if there is none."""
    authorization = headers.get("authorization", "")
    if authorization[: len(SCHEME)].lower() != SCHEME:
        refusal = Refusal(HTTPStatus.UNAUTHORIZED, "a token is needed: Authorization: Bearer …")
    else:
        found = await operators.identify(authorization[len(SCHEME) :].strip())
        if isinstance(found, str):
            return found
        refusal = found
    raise RefusedError(refusal.status, refusal.detail, {"www-authenticate": refusal.challenge})
