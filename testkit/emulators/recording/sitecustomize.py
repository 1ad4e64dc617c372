"""Record each call of AWS's API that a process makes; Python loads this module at its start, from a layer.

The function's own code is unchanged: the hooks are botocore's events, and urllib3's pools, by which our
connection to DynamoDB sends. If `RECORDED_CALLS` names a file, each call becomes a line of JSON in it. If
`KILLED_AT` names a folder, the process kills itself at an event of botocore that a file in it is named after,
once per file: for example `before-send.s3.PutObject`. It does so in the middle of invocations, and not while
the function is loaded.
"""

import json
import os
import signal
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import botocore.session
from urllib3 import HTTPConnectionPool

RECORDED_CALLS = "RECORDED_CALLS"
KILLED_AT = "KILLED_AT"


def record_calls(client: Any, write: Callable[[Mapping[str, Any]], object]) -> None:
    """Report a client's call before it is made: service, operation, region, parameters."""

    def record(params: Mapping[str, Any], model: Any, **_: Any) -> None:
        call = {
            "service": model.service_model.service_name,
            "operation": model.name,
            "region": client.meta.region_name,
            "parameters": {name: value for name, value in params.items() if name != "Body"},
        }
        write(call)

    client.meta.events.register("before-parameter-build", record)


def recording_urlopen(
    write: Callable[[Mapping[str, Any]], object], meanwhile: Callable[[str], object]
) -> Callable[..., Any]:
    """Return an `urlopen` for urllib3's pools that reports what no client of botocore sends.

    Those are the requests of batches to DynamoDB.

    Args:
        write: gets a call, as if a client had made it.
        meanwhile: is called before and after each, with the event that a client would have.
    """
    send: Callable[..., Any] = HTTPConnectionPool.urlopen

    @wraps(send)
    def recorded(
        pool: Any, method: str, url: str, body: Any = None, headers: Any = None, *others: Any, **options: Any
    ) -> Any:
        agent = (headers or {}).get("User-Agent", "")  # that of a client is bytes
        if not str(agent).startswith("kinesis-handler/"):
            return send(pool, method, url, body, headers, *others, **options)
        operation = headers["X-Amz-Target"].rpartition(".")[2]
        region = headers["Authorization"].partition("Credential=")[2].split("/")[2]
        call = {"service": "dynamodb", "operation": operation, "region": region}
        write({**call, "parameters": json.loads(body)})
        meanwhile(f"before-send.dynamodb.{operation}")
        answer = send(pool, method, url, body, headers, *others, **options)
        meanwhile(f"after-call.dynamodb.{operation}")
        return answer

    return recorded


def append_to(path: Path, function: str) -> Callable[[Mapping[str, Any]], None]:
    """Return a function that appends calls to a file. Several processes may write to it at the same time."""

    def write(call: Mapping[str, Any]) -> None:
        line = json.dumps({"function": function, **call}, default=repr) + "\n"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    return write


def _perhaps_die(event_name: str, **_: Any) -> None:
    folder = os.environ.get(KILLED_AT)
    # Lambda's runtime sets the trace id at the first invocation.
    if folder is None or "_X_AMZN_TRACE_ID" not in os.environ:
        return
    try:
        (Path(folder) / event_name).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def _install() -> None:
    create_client: Callable[..., Any] = botocore.session.Session.create_client
    file = os.environ.get(RECORDED_CALLS, os.devnull)
    write = append_to(Path(file), os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""))

    @wraps(create_client)
    def create(*arguments: Any, **options: Any) -> Any:
        client = create_client(*arguments, **options)
        record_calls(client, write)
        for event in ("before-send", "after-call"):
            client.meta.events.register(event, _perhaps_die)
        return client

    botocore.session.Session.create_client = create  # type: ignore[method-assign]
    HTTPConnectionPool.urlopen = recording_urlopen(write, _perhaps_die)  # type: ignore[method-assign]


if os.environ.keys() & {RECORDED_CALLS, KILLED_AT}:
    _install()
