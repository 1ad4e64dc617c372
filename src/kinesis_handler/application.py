"""An application as the command line meets it: its handler, its store, the views onto what is in it."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from msgspec import Struct

from kinesis_handler.aggregate import Aggregate
from kinesis_handler.handler import KinesisHandler
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.moving.opening import Migration
from kinesis_handler.quarantine import ReadableQuarantine
from kinesis_handler.stores import ReadableRepository, Repository, State, Store, Table

__all__ = ["ASGIApp", "Api", "Application", "BuildApi", "Cell", "Operators", "Refusal", "View", "plain_view"]


ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]
"""A web application, as any ASGI server runs it."""


class Cell(NamedTuple):
    """A cell of a table: its text, and a style as rich names them (`bold`, `red`, `dim`)."""

    text: str
    style: str = ""


class View(Struct, Generic[State], frozen=True):
    """One repository, and how what it keeps is shown.

    Args:
        name: what the aggregates are called, in the plural: `limits`.
        repository: where they are kept, to be looked at.
        document: an aggregate as a JSON object.
        headings: of the table's columns.
        row: an aggregate as the cells of the table's row.
    """

    name: str
    repository: ReadableRepository[State]
    document: Callable[[Aggregate[State]], object]
    headings: Sequence[str]
    row: Callable[[Aggregate[State]], Sequence[Cell]]


Fields = TypeVar("Fields", bound=Struct)


def plain_view(name: str, repository: Repository[Fields], state_type: type[Fields]) -> View[Fields]:
    """Return a view that shows each state field by field.

    Args:
        name: what the aggregates are called, in the plural: `parcels`.
        repository: where they are kept.
        state_type: what their states are.
    """
    fields = state_type.__struct_fields__

    def document(aggregate: Aggregate[Fields]) -> object:
        return {"key": aggregate.key, "version": aggregate.version, "state": aggregate.state}

    def row(aggregate: Aggregate[Fields]) -> Sequence[Cell]:
        values = [getattr(aggregate.state, field) for field in fields]
        return [Cell(aggregate.key[1], "bold"), *(Cell("" if each is None else str(each)) for each in values)]

    return View(name, repository, document, ["", *(field.replace("_", " ") for field in fields)], row)


class BuildApi(Protocol):
    """Makes an API. Only `serve` calls it: what the API needs is imported then."""

    def __call__(self, *, local: bool) -> ASGIApp:
        """Return the API; if it is local, it refuses requests for any other host than this machine."""


class Refusal(NamedTuple):
    """Why a token is not accepted: a status of HTTP, a sentence, and the challenge that goes with them."""

    status: int
    detail: str
    challenge: str = "Bearer"


class Operators(Struct, frozen=True):
    """Who may operate where the API asks for tokens, and where they sign in: see `serve --operator`.

    Args:
        identify: takes a token; returns the name of its bearer, who may operate, or a refusal.
        issuer: where an operator signs in, by OpenID Connect's code flow with PKCE.
        client_id: what the page is called there; `/operator/signed-in` is where it is sent back to.
        scope: what it asks for there, which has to be enough to operate.
        origins: where the issuer answers the page.
    """

    identify: Callable[[str], Awaitable[str | Refusal]]
    issuer: str
    client_id: str
    scope: str
    origins: Sequence[str]


class Api(Struct, frozen=True):
    """The application's HTTP API.

    Args:
        build: makes it.
        is_open: whoever reaches it may read everything.
        path: where the page of a partition is, to show a person an example.
        operators: returns who may operate, if it is not open; None: nobody. It may raise ConfigurationError.
    """

    build: BuildApi
    is_open: bool
    path: Callable[[str], str]
    operators: Callable[[], Operators] | None = None


class Application(Struct, frozen=True):
    """What `--app package.module:name` names: a function that returns one of these.

    The function is called without arguments, or with the URL of a store as `store` if it takes one.

    Args:
        handler: the very handler that runs on Lambda.
        views: the views onto its repositories.
        store: where those are, and how far `consume` has read beside them; None if there is none.
        replica: the other store, for the time of a move.
        quarantine: where the handler keeps what it rejects; None if it does not.
        on_failure: where Lambda keeps the batches that it gave up, if that is known.
        api: what shows its state over HTTP.
        demo_events: makes up (partition key, event) without end that go on from what is stored, to watch.
        demo_recording: moves the times of recorded events to now, to watch them as if they had just happened.
        migration: opens the move from a store to another, by their URLs; None is for what the settings say.
        default_region: where a stream or a queue is, if neither the command nor the AWS SDK's settings say a
            region; None: that is an error.
        any_order: the state is right in whatever order the events of a key come: each says all there is to
            know, and the producer's number decides. A stream that keeps no order is refused otherwise.
    """

    handler: KinesisHandler
    views: Sequence[View[Any]] = ()
    store: Store | None = None
    quarantine: ReadableQuarantine | None = None
    on_failure: ReadableQuarantine | None = None
    replica: Store | None = None
    api: Api | None = None
    demo_events: Callable[[], Iterator[tuple[str, bytes]]] | None = None
    demo_recording: Callable[[Iterable[LambdaRecord]], Iterable[LambdaRecord]] | None = None
    migration: Callable[[str | None, str | None], Migration] | None = None
    default_region: str | None = None
    any_order: bool = False

    @property
    def tables(self) -> Sequence[Table]:
        """The tables of its stores, as far as these need any to be made."""
        return [table for store in (self.store, self.replica) if store is not None for table in store.tables]

    @property
    def quarantines(self) -> Sequence[ReadableQuarantine]:
        """Where records wait: those that there are of its own and of Lambda's."""
        return [each for each in (self.quarantine, self.on_failure) if each is not None]

    def check(self, *, states: bool = False) -> None:
        """Raise ConfigurationError, which says what to do, if one of the tables cannot be used.

        Args:
            states: whether to see too that the stored states can be read: see `Store.check_states`.
        """
        for table in self.tables:
            table.check()
        if states and self.store is not None:
            self.store.check_states()
