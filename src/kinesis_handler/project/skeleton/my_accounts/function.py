"""What Lambda starts: `my_accounts.function.handler`."""

from kinesis_handler import configure_logging
from kinesis_handler.json_api import JsonApi  # if api
from kinesis_handler.telemetry.metrics import EmbeddedMetrics

from my_accounts.application import application

configure_logging()
built = application(metrics=EmbeddedMetrics())
built.check()  # a table that cannot be used stops the start, and says why
handler = built.handler
api = JsonApi(built.views).on_lambda  # /accounts/CUSTOMER[/ACCOUNT]  # if api
