"""The options by which a command that reads a stream is watched: `/metrics` and `/health`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated

import structlog
import typer

from kinesis_handler.cli.delivery import Delivery
from kinesis_handler.extras import require_extra
from kinesis_handler.local.stream.progress import ShardProgress
from kinesis_handler.stores.recent import RecentDocuments

ONLY_HERE = "127.0.0.1"

MetricsPort = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65_535,
        help="Serve /metrics (Prometheus) and /health there; 0 for any free port, which the log names.",
    ),
]
MetricsHost = Annotated[
    str,
    typer.Option(
        help="The address to listen on. In a container 0.0.0.0: it shows counts and ids of shards.",
    ),
]


@contextmanager
def monitoring(
    port: int | None,
    host: str,
    delivery: Delivery,
    progress: Mapping[str, ShardProgress],
    recent: RecentDocuments,
) -> Iterator[None]:
    """Serve `/metrics` and `/health` while the block runs, if a port is given.

    Args:
        port: where to listen; None for nowhere.
        host: the address to listen on.
        delivery: has the outcomes, and counts the deliveries.
        progress: of each shard.
        recent: what the process remembers.

    Raises ConfigurationError if it cannot listen there, or the extra is not installed.
    """
    if port is None:
        yield
        return
    with require_extra("--metrics-port", "metrics"):
        from kinesis_handler.cli.figures import ConsumerFigures, serve_figures  # noqa: PLC0415 - an extra
    with serve_figures(ConsumerFigures(delivery, progress, recent), port, host) as chosen:
        structlog.get_logger(component="consumer").info("metrics are served", host=host, port=chosen)
        yield
