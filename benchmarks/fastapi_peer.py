"""The peer of the API's benchmark: FastAPI with pydantic models, as its documentation has people write it.

Its limits are pydantic models in a dictionary, which it answers with as they are declared. The routes are
`async`, as nothing in them waits: FastAPI would run plain functions in threads, which takes far longer. It
writes amounts as strings, which is pydantic's way and less work than exact numbers. It checks parameters and
sends the entity tag and the caching headers; bounds, security headers and problem documents it has none.
"""

from decimal import ROUND_HALF_UP, Decimal
from hashlib import blake2b
from typing import Annotated, Literal

from fastapi import FastAPI, Header, HTTPException, Path, Query, Response
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

LimitType = Literal["BALANCE", "BET", "DEPOSIT", "LOSS", "SESSION"]
Status = Literal["ACTIVE", "CANCELED", "FUTURE", "IN_COOLDOWN"]


class Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class LastReset(Model):
    at: str
    amount: Decimal | None
    percentage: Decimal | None
