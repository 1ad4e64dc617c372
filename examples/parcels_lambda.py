"""The door on AWS: `parcels_lambda.handler` is the function's handler."""

from kinesis_handler import configure_logging
from parcels import application

configure_logging("parcels")
parcels = application()
parcels.check()
handler = parcels.handler
