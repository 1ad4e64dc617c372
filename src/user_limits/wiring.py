"""The one place where concrete classes are named and put together."""

import os
from collections.abc import Mapping

from kinesis_handler import KinesisHandler, configure_logging
from kinesis_handler.application import Application, View
from kinesis_handler.repository import Repository
from kinesis_handler.repository.memory import MemoryRepository
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor
from user_limits.settings import Settings, read_settings
from user_limits.terminal import HEADINGS, limit_row
from user_limits.view import limit_document

SERVICE = "user-limits"


def consumer(environment: Mapping[str, str] = os.environ) -> KinesisHandler:
    """Build the handler that runs on Lambda.

    Raises ConfigurationError at a wrong setting.
    """
    return application(environment).handler


def application(environment: Mapping[str, str] = os.environ) -> Application:
    """Build what the command line works with: the same handler, and the view onto its limits.

    Raises ConfigurationError at a wrong setting.
    """
    settings = read_settings(environment)
    configure_logging(SERVICE, settings.log_level)
    limits = _repository(settings)
    handler = KinesisHandler(
        [UserLimitEventProcessor(limits)], max_unpacked_bytes=settings.max_unpacked_bytes
    )
    return Application(handler, [View("limits", limits, limit_document, HEADINGS, limit_row)])


def _repository(settings: Settings) -> Repository[Limit]:
    return MemoryRepository(ttl=settings.storage_ttl)
