"""The door on AWS for the API: `user_limits.lambda_api.handler` is the function's handler."""

import gc

# What a start allocates, stays: to look through it for garbage again and again is a fifth of a cold start.
gc.disable()

from kinesis_handler.extras import require_extra  # noqa: E402 - what it imports is what there is to allocate
from user_limits.wiring import api  # noqa: E402

with require_extra("API", "api"):
    from user_limits.api.gateway import gateway_handler

handler = gateway_handler(api())

gc.freeze()
gc.enable()
