"""The parcels' events on the event source mapping: what becomes of them, however the stream is cut."""

import json
from pathlib import Path
from uuid import uuid4

import pytest

from kinesis_handler.application import Application
from kinesis_handler.local.event_source import DiscardedBatch, EventSourceMapping
from kinesis_handler.testing import invocation
from parcels import Parcel, application

EVENTS = json.loads(Path(__file__).with_name("parcels.json").read_text())

IN_THE_END = {
    ("books", "parcel-1"): Parcel("delivered", "Turin", scans=2, signed_by="Ada"),
    ("books", "parcel-2"): Parcel("returned", "Lyon", scans=1, reason="refused"),
    ("shoes", "parcel-3"): Parcel("under way", "Faro", scans=2),
}


def deliver(parcels: Application, events: list[object], batch_size: int = 100) -> list[DiscardedBatch]:
    """Deliver events as Lambda would; return what it would have given up."""
    given_up: list[DiscardedBatch] = []
    mapping = EventSourceMapping(
        parcels.handler, batch_size=batch_size, maximum_retry_attempts=1, on_failure=given_up.append
    )
    assert sum(map(len, mapping.run(invocation(events)["Records"]))) == len(events)
    return given_up


def kept(parcels: Application) -> dict[tuple[str, str], Parcel]:
    [view] = parcels.views
    return {aggregate.key: aggregate.state for aggregate in view.repository.scan()}


@pytest.fixture(params=["inmemory:", "sqlite:///{folder}/parcels.db", "dynamodb://Parcels-{name}"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    url: str = request.param
    return url.format(folder=tmp_path, name=uuid4())


@pytest.mark.parametrize("batch_size", [1, 5, 100])
def test_however_the_stream_is_cut_each_parcel_ends_where_it_is(store: str, batch_size: int) -> None:
    parcels = application(store)
    assert parcels.store
    parcels.store.provision()
    assert deliver(parcels, EVENTS, batch_size) == []
    assert kept(parcels) == IN_THE_END


def test_a_stream_that_comes_again_changes_nothing() -> None:
    parcels = application()
    deliver(parcels, EVENTS)
    deliver(parcels, EVENTS)
    assert kept(parcels) == IN_THE_END


def test_what_is_no_event_is_kept_in_the_quarantine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARANTINE_URL", f"file://{tmp_path}/rejected")
    parcels = application()
    deliver(parcels, EVENTS)
    assert parcels.quarantine is not None
    [name] = parcels.quarantine.names()
    assert json.loads(parcels.quarantine.read(name))["eventId"] == "scan-09"


def test_a_parcel_that_is_seen_after_its_delivery_has_a_remark() -> None:
    counts = application().handler.handle(invocation(EVENTS)).remarks()
    assert counts == {"seen_again": 1}


def test_the_function_on_lambda_is_the_same_handler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = f"sqlite:///{tmp_path}/parcels.db"
    monkeypatch.setenv("PARCELS_STORE", store)
    from parcels_lambda import handler

    assert handler(invocation(EVENTS), None) == {"batchItemFailures": []}
    assert kept(application(store)) == IN_THE_END
