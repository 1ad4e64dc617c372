"""What an application tells of itself."""

from decimal import Decimal
from uuid import uuid4

import msgspec
import pytest
from msgspec import Struct

from kinesis_handler import ConfigurationError, KinesisHandler, open_store
from kinesis_handler.application import Application, Cell, plain_view
from kinesis_handler.stores import Change
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing.law_states import aggregate
from testkit.tables import Tables


class Parcel(Struct, frozen=True, rename="camel"):
    depot: str | None
    last_weight: Decimal


def test_a_plain_view_shows_each_state_field_by_field() -> None:
    repository: MemoryRepository[Parcel] = MemoryRepository()
    kept = msgspec.structs.replace(aggregate(("shop", "p1"), 3), state=Parcel(None, Decimal("1.10")))
    repository.save([Change(None, kept)])  # type: ignore[arg-type]
    view = plain_view("parcels", repository, Parcel)
    [found] = view.repository.scan()
    assert view.headings == ["", "depot", "last weight"]
    assert view.row(found) == [Cell("p1", "bold"), Cell(""), Cell("1.10")]
    shown = msgspec.json.Encoder(decimal_format="number").encode(view.document(found))
    assert shown == b'{"key":["shop","p1"],"version":3,"state":{"depot":null,"lastWeight":1.10}}'


def test_an_application_cannot_be_used_if_a_table_of_one_of_its_stores_cannot(tables: Tables) -> None:
    names = [f"{side}-{uuid4()}" for side in ("Old", "New")]
    old, new = (open_store(f"dynamodb://{name}?endpoint={tables.endpoint}") for name in names)
    for store in (old, new):
        store.repository(Parcel)
    old.provision()
    application = Application(KinesisHandler(), store=old, replica=new)
    with pytest.raises(ConfigurationError, match=r"'New-.*' .* does not exist"):
        application.check()
    new.provision()
    application.check()
    assert [table.name for table in application.tables] == names
