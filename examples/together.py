"""Parcels and lost parcels beside the user limits: one function, one stream, one store."""

from msgspec.structs import replace

from kinesis_handler.application import Application, plain_view
from kinesis_handler.stores.opening import OpenStore
from kinesis_handler.stores.url import parse_store
from lost_parcels import tell_support
from parcels import Parcel, Parcels
from user_limits.wiring import application as limits_application


def application(store: str = "inmemory:") -> Application:
    limits = limits_application(store=store)
    opened = OpenStore(parse_store(store, file="limits.db", table="UserLimits"))
    parcels = opened.keep(Parcel, ("shop", "parcel"), beside="parcels")
    limits.handler.register(Parcels(parcels.repository))
    limits.handler.register(tell_support)
    return replace(
        limits,
        views=[*limits.views, plain_view("parcels", parcels.repository, Parcel)],
        tables=[*limits.tables, *parcels.tables],
    )
