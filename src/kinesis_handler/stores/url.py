"""The URLs of stores, and what they say: memory, a file, a table. Pure."""

import re
from urllib.parse import parse_qsl

from msgspec import Struct

from kinesis_handler.environment import REGION
from kinesis_handler.errors import ConfigurationError

TABLE_NAME = "[A-Za-z0-9_.-]{3,255}"
TABLE_FORM = "3 to 255 letters, digits, _ . and -"

LASTING_STORE_FORMS = "sqlite:///FILE or dynamodb://TABLE?region=REGION&endpoint=URL"
STORE_FORMS = f"inmemory:, {LASTING_STORE_FORMS}"


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


Address = InMemory | SQLite | DynamoDB
"""What a store's URL says."""


def url_of(address: Address) -> str:
    """Return the URL of a store, for people."""
    match address:
        case InMemory():
            return "inmemory:"
        case SQLite(path):
            return f"sqlite:///{path}"
        case DynamoDB(table, _, endpoint):
            return f"dynamodb://{table}" + (f"?endpoint={endpoint}" if endpoint else "")


def parse_url(
    url: str, *, file: str | None = None, table: str | None = None, region: str | None = None
) -> Address:
    """Return what the URL of a store says: see `open_store`."""
    # Not `urlsplit`: it raises for a host that is none, and drops characters, so that another file was meant.
    scheme, _, rest = url.partition(":")
    path, _, query = rest.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    match scheme.lower():
        case "inmemory" if not path and not options:
            return InMemory()
        case "sqlite" if not options and (not path or re.fullmatch(r"///[^\0\n]+", path)):
            if name := path[3:] or file:
                return SQLite(name)
        case "dynamodb" if options.keys() <= {"region", "endpoint"}:
            name, found = path.removeprefix("//") or table or "", options.get("region", region)
            if re.fullmatch(TABLE_NAME, name) and (found is None or re.fullmatch(REGION, found)):
                return DynamoDB(name, found, options.get("endpoint"))
    of_name = f", where TABLE has {TABLE_FORM}" if scheme.lower() == "dynamodb" else ""
    raise ConfigurationError(f"the store is {url!r}; allowed: {STORE_FORMS}{of_name}")
