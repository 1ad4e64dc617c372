"""Where the limits are kept, as a value: said by the settings, or by a URL on the command line."""

from kinesis_handler.stores.url import DynamoDB, InMemory, SQLite, Store, parse_store
from user_limits.settings import Settings


def store_of(settings: Settings, url: str | None = None) -> Store:
    """Return the store that the settings name, or that of a URL: what it does not say, the settings do.

    Raises ConfigurationError that quotes the URL and says what is allowed.
    """
    if url is not None:
        return parse_store(
            url, file=settings.sqlite_path, table=settings.user_limit_table_name, region=settings.aws_region
        )
    match settings.repository_type:
        case "inmemory":
            return InMemory()
        case "sqlite":
            return SQLite(settings.sqlite_path)
        case "dynamodb":
            return DynamoDB(settings.user_limit_table_name, settings.aws_region)
