"""What happens to a function on Lambda happens to it here: errors, time-outs, a process that dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from kinesis_handler.local.event_source import EventSourceMapping, put_on_shard
from stream.processes import until
from testkit.emulators import lambda_runtime
from testkit.emulators.lambda_runtime import Configuration, FunctionError, LambdaRuntime

pytestmark = pytest.mark.other_programs

Run = Callable[..., LambdaRuntime]

FUNCTION = """
import os, signal, sys, time

def answer(event, context):
    return event

def look(event, context):
    print("to standard output")
    print("to standard error", file=sys.stderr)
    names = {"left": context.get_remaining_time_in_millis(), "memory": context.memory_limit_in_mb,
             "arn": context.invoked_function_arn, "id": context.aws_request_id}
    return {**names, "environment": dict(os.environ), "path": sys.path, "folder": os.getcwd()}

def fail(event, context):
    raise ValueError("it is no good")

def sleep(event, context):
    print("it begins")
    time.sleep(60)

def leave(event, context):
    os._exit(event["status"])

def die(event, context):
    os.kill(os.getpid(), signal.SIGKILL)

def eat(event, context):
    eaten = b"." * 300_000_000
    time.sleep(60)

def tell_too_much(event, context):
    return "." * 7_000_000

def once(event, context, times=[]):
    times.append(1)
    return {"times": len(times), "process": os.getpid()}

def leave_later(event, context):
    import threading
    threading.Timer(0.05, os._exit, [0]).start()

def import_(event, context):
    import importlib
    importlib.import_module(event)

def poison(event, context):
    data = [each["kinesis"]["data"] for each in event["Records"]]
    if "cG9pc29u" in data:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Return what runs one of these functions."""
    (tmp_path / "functions.py").write_text(FUNCTION)
    (tmp_path / "broken.py").write_text("import nothing_that_there_is")
    (tmp_path / "slow.py").write_text("import time; time.sleep(60)")
    with ExitStack() as stack:

        def make(handler: str, **configuration: Any) -> LambdaRuntime:
            handler = handler if "." in handler else f"functions.{handler}"
            return stack.enter_context(
                LambdaRuntime(Configuration(artifact=tmp_path, handler=handler, **configuration))
            )

        yield make


def error_of(function: LambdaRuntime, event: object = None) -> tuple[str, str]:
    with pytest.raises(FunctionError) as raised:
        function(event)
    document = raised.value.document
    return document["errorType"], document["errorMessage"]


def test_a_function_is_given_the_event_and_its_answer_is_returned(run: Run) -> None:
    event = {"text": "ünï", "number": 1.5, "nothing": None, "list": [{"much": "." * 5_000_000}]}
    assert run("answer")(event) == event


def test_it_finds_what_lambda_says_and_nothing_of_the_owner(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "owner")
    layer = tmp_path / "layer"
    layer.mkdir()
    function = run(
        "look",
        variables={"STORAGE_TTL": "0", "AWS_REGION": "nowhere"},
        name="limits",
        memory_size=256,
        timeout=7,
        layers=[layer],
    )
    found = function({})
    assert 6_000 < found["left"] <= 7_000
    assert found["memory"] == "256"
    assert found["arn"] == "arn:aws:lambda:eu-west-1:123456789012:function:limits"
    environment = found["environment"]
    assert environment["STORAGE_TTL"] == "0"
    assert environment["AWS_REGION"] == "eu-west-1", "Lambda's own variables are not the function's to set"
    assert environment["LAMBDA_TASK_ROOT"] == found["folder"] == str(tmp_path)
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert not environment.keys() & {"AWS_PROFILE", "HOME", "VIRTUAL_ENV"}
    assert found["path"][:2] == [str(tmp_path), str(layer)]
    assert not [each for each in found["path"] if each.startswith(str(Path(sys.prefix)))]


def test_it_can_import_the_sdk_and_nothing_else_that_is_installed_here(run: Run) -> None:
    function = run("import_")
    for name in ("botocore.session", "boto3", "awslambdaric", "urllib3", "dateutil"):
        assert function(name) is None
    for name in ("msgspec", "kinesis_handler", "pytest", "pip"):
        assert error_of(function, name)[0] == "ModuleNotFoundError"


def test_an_environment_is_used_again_and_one_more_is_started_only_if_none_is_idle(run: Run) -> None:
    function = run("once")
    assert [function({})["times"] for _ in range(3)] == [1, 2, 3]
    assert function.cold_starts == 1


def test_invocations_at_once_have_an_environment_each_up_to_the_concurrency(run: Run) -> None:
    function = run("sleep", timeout=0.5, concurrency=2)
    threads = [Thread(target=lambda: error_of(function)) for _ in range(4)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - begun >= 1
    assert function.cold_starts == 4


def test_an_exception_is_reported_as_the_runtime_reports_it(run: Run) -> None:
    function = run("fail")
    with pytest.raises(FunctionError, match="ValueError: it is no good") as raised:
        function({})
    assert "in fail" in raised.value.document["stackTrace"][-1]
    assert error_of(function) == ("ValueError", "it is no good"), "and it lives on"
    assert function.cold_starts == 1


def test_a_function_that_takes_too_long_is_killed_and_starts_anew(run: Run) -> None:
    function = run("sleep", timeout=0.5)
    for _ in range(2):
        error, message = error_of(function)
        assert error == "Sandbox.Timedout"
        assert message.endswith("Task timed out after 0.50 seconds")
    assert function.cold_starts == 2
    assert function.log.count("it begins") == 2
    assert sum(line.endswith("Task timed out after 0.50 seconds") for line in function.log) == 2


@pytest.mark.parametrize(
    ("handler", "event", "told"),
    [
        ("leave", {"status": 0}, "Runtime exited without providing a reason"),
        ("leave", {"status": 3}, "Runtime exited with error: exit status 3"),
        ("die", None, "Runtime exited with error: signal: killed"),
    ],
)
def test_a_process_that_dies_is_an_error_and_another_takes_its_place(
    run: Run, handler: str, event: object, told: str
) -> None:
    function = run(handler)
    for _ in range(2):
        error, message = error_of(function, event)
        assert error == "Runtime.ExitError"
        assert message.endswith(told)
    assert function.cold_starts == 2


def test_a_process_that_has_died_since_is_not_asked_again(run: Run) -> None:
    function = run("leave_later")
    for starts in (1, 2):
        function({})
        assert function.cold_starts == starts
        until(lambda: all(each.ended for each in function._idle))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system has no /proc")
def test_a_function_that_takes_more_memory_than_it_has_is_killed(run: Run) -> None:
    function = run("eat", memory_size=128, timeout=60)
    assert error_of(function)[1].endswith("Runtime exited with error: signal: killed")
    assert function.max_memory > 128


def test_an_answer_that_is_too_long_is_none(run: Run) -> None:
    function = run("tell_too_much", timeout=30)
    for _ in range(2):
        assert error_of(function)[0] == "Function.ResponseSizeTooLarge"


@pytest.mark.parametrize(
    ("handler", "error", "told"),
    [
        ("broken.handler", "Runtime.ImportModuleError", "No module named 'nothing_that_there_is'"),
        ("functions.none", "Runtime.HandlerNotFound", "Handler 'none' missing on module 'functions'"),
    ],
)
def test_a_function_that_cannot_be_loaded_says_why(run: Run, handler: str, error: str, told: str) -> None:
    function = run(handler)
    for _ in range(2):
        found, message = error_of(function)
        assert found == error
        assert told in message


def test_one_that_is_not_loaded_in_time_has_the_time_of_its_invocation_too(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lambda_runtime, "INIT_SECONDS", 0.1)
    function = run("slow.handler", timeout=0.5)
    assert error_of(function)[0] == "Sandbox.Timedout"


def test_all_that_is_written_is_in_the_log_with_what_lambda_reports(run: Run) -> None:
    function = run("look")
    request_id = function({})["id"]
    function.__exit__()
    assert {"to standard output", "to standard error"} <= set(function.log)
    assert f"START RequestId: {request_id} Version: $LATEST" in function.log
    [report] = [line for line in function.log if line.startswith(f"REPORT RequestId: {request_id}")]
    assert "Memory Size: 128 MB" in report


def test_a_mapping_delivers_to_it_and_a_batch_at_which_it_dies_is_split(run: Run) -> None:
    given_up: list[list[str]] = []
    mapping = EventSourceMapping(
        run("poison"),
        maximum_retry_attempts=1,
        bisect_batch_on_function_error=True,
        on_failure=lambda each: given_up.append([record["kinesis"]["data"] for record in each.records]),
        sleep=lambda _seconds: None,
    )
    [batch] = mapping.run(put_on_shard(("key", data) for data in [b"a", b"b", b"poison", b"c"]))
    assert len(batch) == 4
    assert given_up == [["cG9pc29u"]]


def test_the_process_ends_with_its_starter_however_that_ends(run: Run, tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from testkit.emulators.lambda_runtime import Configuration, LambdaRuntime
with LambdaRuntime(Configuration(artifact=Path({str(tmp_path)!r}), handler="functions.once")) as function:
    print(function({{}})["process"], flush=True)
    input()
"""
    run("once")  # its folder has the functions
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout
        process = int(starter.stdout.readline())
        os.kill(starter.pid, signal.SIGKILL)
    until(lambda: not alive(process))


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
