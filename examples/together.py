"""Parcels and lost parcels beside the user limits: one function, one stream, one store."""

from msgspec.structs import replace

from kinesis_handler.application import Application, plain_view
from lost_parcels import notify_support
from parcels import Parcel, Parcels
from user_limits.wiring import application as limits_application


def application(store: str = "inmemory:") -> Application:
    limits = limits_application(store=store)
    assert limits.store
    parcels = limits.store.repository(Parcel, keys=("shop", "parcel"), name="parcels")
    limits.handler.register(Parcels(parcels))
    limits.handler.register(notify_support)
    return replace(limits, views=[*limits.views, plain_view("parcels", parcels, Parcel)])
