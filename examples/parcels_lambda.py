"""The door on AWS: `parcels_lambda.handler` is the function's handler."""

from parcels import application

parcels = application()
parcels.check()
handler = parcels.handler
