"""Where the limits are kept, as a value: said by the settings, or by a URL on the command line."""

import re
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

from kinesis_handler import ConfigurationError
from user_limits.settings import REGION, TABLE_NAME, Settings

FORMS = "inmemory:, sqlite:///FILE or dynamodb://TABLE?region=REGION&endpoint=URL"


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


def store_of(settings: Settings) -> Store:
    """Return the store that the settings name."""
    match settings.repository_type:
        case "inmemory":
            return InMemory()
        case "sqlite":
            return SQLite(settings.sqlite_path)
        case "dynamodb":
            return DynamoDB(settings.user_limit_table_name, settings.aws_region)


def parse_store(url: str, settings: Settings) -> Store:
    """Return the store of a URL; what it does not say, the settings do.

    A path after `sqlite:///` is relative, one after `sqlite:////` absolute.

    Raises ConfigurationError that quotes the URL and says what is allowed.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    place = url.partition(":")[2].partition("?")[0]
    match parts.scheme:
        case "inmemory" if not place and not options:
            return InMemory()
        case "sqlite" if not options and (not place or re.fullmatch("///.+", place)):
            return SQLite(place[3:] or settings.sqlite_path)
        case "dynamodb" if options.keys() <= {"region", "endpoint"}:
            table = place.removeprefix("//") or settings.user_limit_table_name
            region = options.get("region", settings.aws_region)
            if re.fullmatch(TABLE_NAME, table) and (region is None or re.fullmatch(REGION, region)):
                return DynamoDB(table, region, options.get("endpoint"))
    raise ConfigurationError(f"the store is {url!r}; allowed: {FORMS}")
