"""The entry point of the scheduled redrive on Lambda: `user_limits.lambda_redrive.handler` is the handler."""

from user_limits.wiring import redrive

handler = redrive()
