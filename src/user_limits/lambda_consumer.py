"""The door on AWS for the stream: `user_limits.lambda_consumer.handler` is the function's handler."""

from user_limits.wiring import consumer

handler = consumer()
