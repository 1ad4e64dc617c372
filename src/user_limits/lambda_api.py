"""The door on AWS for the API: `user_limits.lambda_api.handler` is the function's handler."""

import gc

# What a start allocates, stays: to look through it for garbage again and again is a fifth of a cold start.
gc.disable()

from typing import Any, cast  # noqa: E402 - what is imported is what there is to allocate

from mangum import Mangum  # noqa: E402

from user_limits.wiring import api  # noqa: E402

handler = Mangum(cast("Any", api()), lifespan="off", text_mime_types=["text/", "application/"])

gc.freeze()
gc.enable()
