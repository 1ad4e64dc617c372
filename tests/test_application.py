"""What an application tells of itself."""

from decimal import Decimal

import msgspec
import pytest
from msgspec import Struct

from kinesis_handler import ConfigurationError, KinesisHandler
from kinesis_handler.application import Application, Cell, plain_view
from kinesis_handler.stores import Change
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing.laws import aggregate
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


def test_an_application_cannot_be_used_if_one_of_its_tables_cannot(tables: Tables) -> None:
    there, gone = tables.table(), tables.table()
    Application(KinesisHandler(), tables=[there, gone]).check()
    gone.delete()
    with pytest.raises(ConfigurationError, match=gone.name):
        Application(KinesisHandler(), tables=[there, gone]).check()
