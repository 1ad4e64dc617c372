"""Places where something can be kept, as values: memory, a file, a table. A URL names one. Pure."""

import re
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

from kinesis_handler.errors import ConfigurationError

__all__ = ["DynamoDB", "InMemory", "SQLite", "Store", "parse_store"]

TABLE_NAME = "[A-Za-z0-9_.-]{3,255}"
REGION = "[a-z0-9-]+"
REGION_FORM = "a region's code, such as eu-north-1"

LASTING_STORE_FORMS = "sqlite:///FILE or dynamodb://TABLE?region=REGION&endpoint=URL"
STORE_FORMS = f"inmemory:, {LASTING_STORE_FORMS}"

QUARANTINE_URL = "file:///.+|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?"
QUARANTINE_FORMS = "file:///FOLDER or s3://BUCKET/PREFIX"

NO_QUARANTINE = "none"
"""In place of a quarantine's URL: rejected records are logged and skipped, and that is meant."""


class InMemory(Struct, frozen=True):
    """The memory of the process."""


class SQLite(Struct, frozen=True):
    """A file."""

    path: str


class DynamoDB(Struct, frozen=True):
    """A table. What is None is looked up by the AWS SDK."""

    table: str
    region: str | None = None
    endpoint: str | None = None


Store = InMemory | SQLite | DynamoDB
"""Where states are kept."""


def url_of(store: Store) -> str:
    """Return the URL of a store, for people."""
    match store:
        case InMemory():
            return "inmemory:"
        case SQLite(path):
            return f"sqlite:///{path}"
        case DynamoDB(table, _, endpoint):
            return f"dynamodb://{table}" + (f"?endpoint={endpoint}" if endpoint else "")


def parse_store(
    url: str, *, file: str | None = None, table: str | None = None, region: str | None = None
) -> Store:
    """Return the store that a URL names.

    A path after `sqlite:///` is relative, one after `sqlite:////` absolute.

    Args:
        url: in one of STORE_FORMS.
        file: what `sqlite:` alone means.
        table: what `dynamodb:` alone means.
        region: of a table, if the URL names none; None for the one that the AWS SDK finds.

    Raises ConfigurationError that quotes the URL and says what is allowed.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    place = url.partition(":")[2].partition("?")[0]
    match parts.scheme:
        case "inmemory" if not place and not options:
            return InMemory()
        case "sqlite" if not options and (not place or re.fullmatch("///.+", place)):
            if path := place[3:] or file:
                return SQLite(path)
        case "dynamodb" if options.keys() <= {"region", "endpoint"}:
            name = place.removeprefix("//") or table or ""
            found = options.get("region", region)
            if re.fullmatch(TABLE_NAME, name) and (found is None or re.fullmatch(REGION, found)):
                return DynamoDB(name, found, options.get("endpoint"))
    raise ConfigurationError(f"the store is {url!r}; allowed: {STORE_FORMS}")
