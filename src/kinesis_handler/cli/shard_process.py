"""Processes one shard for the daemon of `worker --daemon`, which starts it: `python -m`."""

import os
import signal

import msgspec

from kinesis_handler.cli.application import exit_on_error, load_application
from kinesis_handler.cli.worker import OPTIONS, Options
from kinesis_handler.kcl.daemon import ParentStop, protocol_output, serve_daemon
from kinesis_handler.kcl.processor import Work
from kinesis_handler.local.stream.outages import Outages


def main() -> None:
    """Process the shard until the daemon closes the pipe, or something fails."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to the daemon too, which decides
    output = protocol_output()
    with exit_on_error():
        options = msgspec.json.decode(os.environ[OPTIONS], type=Options)
        application = load_application(options.application, options.store)
        delivery, states = options.delivery(application, Outages()), options.states(application)
        work = Work(
            stream_arn=options.stream_arn,
            make_mapping=delivery.mapping,
            on_batch=delivery.settle,
            stop=ParentStop(),
            on_lease_lost=states.forget,
        )
        with options.reporting(application, delivery, work.progress):
            serve_daemon(work, output)


if __name__ == "__main__":
    main()
