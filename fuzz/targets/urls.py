"""The URLs of stores and of quarantines, as an environment variable has them."""

from collections.abc import Sequence

from fuzz.targets import Target
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.quarantine.opening import open_quarantine
from kinesis_handler.stores import open_store
from kinesis_handler.stores.url import DynamoDB, parse_url, url_of


def _text(data: bytes) -> str:
    return data.decode(errors="surrogateescape")


def check_stores(inputs: Sequence[bytes]) -> list[str]:
    """Open each store: the error must be the one for users, and what is accepted must mean the same again."""
    return [_store(_text(each)) for each in inputs]


def _store(url: str) -> str:
    try:
        address = open_store(url, setting=f"STORE is {url!r}").address
    except ConfigurationError as error:
        assert "allowed: inmemory:" in str(error), f"the error does not say what is allowed: {error}"
        assert "STORE is" in str(error), "the error does not name the setting"
        return "refused"
    if isinstance(address, DynamoDB):
        assert url_of(address).startswith(f"dynamodb://{address.table}")
        return f"DynamoDB {address.region is None} {address.endpoint is None}"
    assert parse_url(url_of(address)) == address, (
        f"it is shown as {url_of(address)!r}, which is another store"
    )
    return type(address).__name__


def check_quarantines(inputs: Sequence[bytes]) -> list[str]:
    """Open each quarantine that is no bucket; a bucket's name is only looked at."""
    return [_quarantine(_text(each)) for each in inputs]


def _quarantine(url: str) -> str:
    if url.startswith("s3://"):
        url = url.replace("s3://", "s4://", 1)  # its client takes milliseconds, and asks nothing of the URL
    try:
        opened = open_quarantine(url)
    except ConfigurationError as error:
        assert "allowed: file:///FOLDER" in str(error), f"the error does not say what is allowed: {error}"
        return "refused"
    return type(opened).__name__


_WORDS = [
    b"inmemory:", b"sqlite:", b"sqlite:///", b"dynamodb:", b"dynamodb://", b"file:///", b"s3://", b"none", b"?region=", b"&endpoint=",
    b"http://127.0.0.1:8000", b"[", b"]", b"//", b"@", b":", b"#", b"?", b"%", b"%00", b"%2f", b"\0", b"\n", b" ", b"\xe2\x84\x80",
    b"\xef\xbc\x9a", b"\xff", b"..", b"eu-north-1", b"&region=", b";", b"=",
]  # fmt: skip

TARGETS = {
    "URLs: stores": Target(
        check_stores,
        [
            b"inmemory:", b"sqlite:", b"sqlite:///limits.db", b"sqlite:////tmp/limits.db", b"dynamodb:", b"dynamodb://user-limits",
            b"dynamodb://user-limits?region=eu-north-1&endpoint=http://127.0.0.1:8000",
        ],
        _WORDS, share=5,
    ),
    "URLs: quarantines": Target(
        check_quarantines, [b"file:///rejected", b"file:////tmp/rejected", b"s3://bucket/prefix", b"none"], _WORDS, share=1
    ),
}  # fmt: skip
