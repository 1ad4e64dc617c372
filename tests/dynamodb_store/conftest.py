"""A table, a client that faults can be put on, and a proxy that has faults of its own."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from dynamodb_store.faulty_store import KEY, TTL, Store, new
from kinesis_handler.stores import Change
from kinesis_handler.stores.dynamodb import Connection, dynamodb_connection
from kinesis_handler.testing import LawState
from kinesis_handler.testing.law_states import after as changed
from kinesis_handler.testing.law_states import aggregate, insert
from testkit.emulators.fault_proxy import FaultProxy, fault_proxy
from testkit.emulators.wire import Wire
from testkit.tables import Tables


@pytest.fixture(scope="package")
def connection(dynamodb_endpoint: str) -> Iterator[Connection]:
    """Make a connection to put faults on: it takes long to make one."""
    with closing(dynamodb_connection(endpoint=dynamodb_endpoint)) as made:
        yield made


@pytest.fixture
def wire(connection: Connection) -> Iterator[Wire]:
    """Return a connection that faults can be put on."""
    with Wire(connection) as made:
        yield made


@pytest.fixture
def store(tables: Tables, wire: Wire) -> Store:
    """Return a table whose items do not expire."""
    return Store(tables, wire)


@pytest.fixture
def expiring(tables: Tables, wire: Wire) -> Store:
    """Return a table whose items do expire."""
    return Store(tables, wire, ttl=TTL)


@pytest.fixture(scope="module")
def running_proxy(dynamodb_endpoint: str) -> Iterator[FaultProxy]:
    """Run the proxy for as long as these tests take."""
    with fault_proxy(dynamodb_endpoint) as made:
        yield made


@pytest.fixture(scope="module")
def proxied_connection(running_proxy: FaultProxy) -> Iterator[Connection]:
    """Make a connection that talks to the proxy."""
    with closing(dynamodb_connection(endpoint=running_proxy.endpoint)) as made:
        yield made


@pytest.fixture
def proxy(running_proxy: FaultProxy) -> Iterator[FaultProxy]:
    """Return a proxy that no other test has left rules in."""
    with running_proxy.watched():
        yield running_proxy


@pytest.fixture(params=["new", "changed"])
def change(request: pytest.FixtureRequest, store: Store) -> Change[LawState]:
    """Return a change to be saved: of a key that was not there, or one of a key that was."""
    if request.param == "new":
        return new(note="mine")
    first = aggregate(KEY, note="first")
    insert(store.other, first)
    return changed(first, note="mine")
