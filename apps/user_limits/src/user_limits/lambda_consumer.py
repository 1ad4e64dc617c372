"""The door on AWS for the stream: `user_limits.lambda_consumer.handler` is the function's handler."""

import gc

# What a start allocates, stays: to look through it for garbage again and again is a fifth of a cold start.
gc.disable()

from user_limits.wiring import consumer  # noqa: E402 - what it imports is what there is to allocate

handler = consumer()

gc.freeze()
gc.enable()
