"""The entry point of the API on Lambda: `user_limits.lambda_api.handler` is the handler."""

import gc

# Objects of the start stay: looking through them for garbage again and again is a fifth of a cold start.
gc.disable()

from kinesis_handler.extras import require_extra  # noqa: E402 - its imports allocate those objects
from user_limits.wiring import api  # noqa: E402

with require_extra("API", "api"):
    from user_limits.api.gateway import gateway_handler

handler = gateway_handler(api())

gc.freeze()
gc.enable()
