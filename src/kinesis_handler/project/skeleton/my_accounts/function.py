"""What Lambda starts: `my_accounts.function.handler`."""

import os

from kinesis_handler import configure_logging
from kinesis_handler.telemetry.metrics import EmbeddedMetrics

from my_accounts.application import application

service = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "my-accounts")  # as logs and metrics call it
configure_logging(service)
built = application(metrics=EmbeddedMetrics(service))
built.check()  # a table that cannot be used stops the start, and says why
handler = built.handler
