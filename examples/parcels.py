"""Where each parcel is: a whole application, from its events to its command line."""

import os
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from kinesis_handler import Event, Key, KinesisHandler, Projection, Remark, Remarked
from kinesis_handler.application import Application, plain_view
from kinesis_handler.quarantine import open_quarantine
from kinesis_handler.stores import open_store

Id = Annotated[str, Meta(min_length=1, max_length=100)]

SEEN_AGAIN = Remark("seen_again", "a parcel that had been delivered was scanned again")


class Scanned(Struct):
    shop: Id
    parcel: Id
    depot: str


class Delivered(Struct, rename="camel"):
    shop: Id
    parcel: Id
    signed_by: str | None = None


class Returned(Struct):
    shop: Id
    parcel: Id
    reason: Literal["refused", "unknown", "damaged"]


ParcelPayload = Scanned | Delivered | Returned


class Parcel(Struct, frozen=True, rename="camel"):
    status: Literal["under way", "delivered", "returned"] = "under way"
    depot: str | None = None
    scans: int = 0
    signed_by: str | None = None
    reason: str | None = None


class Parcels(Projection[Parcel, ParcelPayload]):
    event_types = {"PARCEL_SCANNED": Scanned, "PARCEL_DELIVERED": Delivered, "PARCEL_RETURNED": Returned}

    def key(self, event: Event[ParcelPayload]) -> Key:
        return event.payload.shop, event.payload.parcel

    def apply(self, state: Parcel | None, event: Event[ParcelPayload]) -> Parcel | Remarked[Parcel]:
        parcel = state or Parcel()
        match event.payload:
            case Scanned(depot=depot):
                after = replace(parcel, status="under way", depot=depot, scans=parcel.scans + 1)
                return Remarked(after, (SEEN_AGAIN,)) if parcel.status == "delivered" else after
            case Delivered(signed_by=name):
                return replace(parcel, status="delivered", signed_by=name)
            case Returned(reason=reason):
                return replace(parcel, status="returned", reason=reason)


def application(store: str | None = None) -> Application:
    opened = open_store(store or os.environ.get("PARCELS_STORE") or "inmemory:")
    parcels = opened.repository(Parcel, keys=("shop", "parcel"))
    quarantine = open_quarantine(os.environ.get("QUARANTINE_URL", ""))
    return Application(
        KinesisHandler([Parcels(parcels)], quarantine=quarantine),
        [plain_view("parcels", parcels, Parcel)],
        opened,
        quarantine,
    )
