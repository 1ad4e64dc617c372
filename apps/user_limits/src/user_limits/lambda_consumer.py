"""The entry point of the consumer on Lambda: `user_limits.lambda_consumer.handler` is the handler."""

import gc

# Objects of the start stay: looking through them for garbage again and again is a fifth of a cold start.
gc.disable()

from user_limits.wiring import consumer  # noqa: E402 - its imports allocate those objects

handler = consumer()

gc.freeze()
gc.enable()
