"""A move from the stack's own table to another, phase by phase: each role allows what its function asks for.

The functions are built of the template's variables, in this process. What AppConfig's agent asks for is told
by what it is asked.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any
from uuid import uuid4

import botocore.session
import pytest
from api.test_lambda import event
from typer.testing import CliRunner

from deploy.expansion import REGION
from deployed import MOVING, attached, environment, expanded, properties
from end_to_end.policy import Need, needs, needs_of_the_agent, permissions
from kinesis_handler.aws_settings import Settings
from kinesis_handler.cli.commands import app
from kinesis_handler.moving import switch
from kinesis_handler.moving.phase import Phase, Side
from kinesis_handler.stores.dynamodb.answer import Problem
from kinesis_handler.stores.dynamodb.connection import Connection
from kinesis_handler.testing import invocation
from testkit.emulators.appconfig import Extension, running_extension
from testkit.emulators.recording.sitecustomize import record_calls
from user_limits.api.gateway import gateway_handler
from user_limits.wiring import api, application, consumer

FUNCTIONS = ["Consumer", "Api"]
SHOWN = "anna"
"""A user."""

OF_A_MOVE = ("appconfig:", "dynamodb:")


class Move:
    """A move, and the functions of the stack.

    Args:
        agents: of each function.
    """

    def __init__(self, agents: Mapping[str, Extension]) -> None:
        self.target = f"New{uuid4().hex}"
        self.parameters = {**MOVING, "MigrationTarget": self.target, "MigrationRead": "jkl3456"}
        told = expanded(**self.parameters)["Outputs"]["ToolSettings"]["Value"]
        self.tools = dict(each.split("=", 1) for each in told.split())
        self._agents = agents
        self._calls: dict[str, list[Mapping[str, Any]]] = {function: [] for function in FUNCTIONS}
        self._numbers = count(1)

    def function(self, name: str) -> Any:
        """Start a function, as Lambda does."""
        port = {"AWS_APPCONFIG_EXTENSION_HTTP_PORT": str(self._agents[name].port)}
        variables = {**environment(name, **self.parameters), "AWS_REGION": REGION, **port}
        with recorded(self._calls[name]):
            return consumer(variables) if name == "Consumer" else gateway_handler(api(variables))

    def go_to(self, phase: Phase) -> None:
        self._set(self.parameters["MigrationSwitch"], phase)
        self.read_from(phase.decides)

    def read_from(self, side: Side) -> None:
        beside = self.parameters["MigrationSwitch"].rpartition("/")[0]
        self._set(f"{beside}/{self.parameters['MigrationRead']}", side)

    def _set(self, switch: str, position: str) -> None:
        ids = zip(("applications", "environments", "configurations"), switch.split("/"), strict=True)
        path = "".join(f"/{kind}/{name}" for kind, name in ids)
        for agent in self._agents.values():
            agent.answers[path] = (200, position.encode())

    def write(self, handler: Any, limit_id: str, user: str = SHOWN) -> None:
        """Let the consumer make a limit, and then change it."""
        limit = {"userId": user, "userLimitId": limit_id}
        for kind, more in (("CREATED", {"value": "10"}), ("PROGRESS_CHANGED", {"amount": "1"})):
            number = next(self._numbers)
            body = {"eventId": f"{number}", "type": f"USER_LIMIT_{kind}", "createdAt": number}
            body |= {"sequenceNumber": number, "payload": {**limit, **more}}
            assert handler(invocation([body])) == {"batchItemFailures": []}

    def asked_by(self, function: str) -> set[Need]:
        """Return what a function asked for, or the agent in its name."""
        of_agent = [needs_of_the_agent(path, REGION) for path in self._agents[function].asked]
        return set().union(*map(needs, self._calls[function]), *of_agent)

    def allowed_to(self, function: str) -> set[Need]:
        """Return what the role allows of it, where no pattern stands for several things."""
        role = f"{function}Role"
        found = permissions(properties(role, **self.parameters), attached(role, **self.parameters))
        return {Need(*each) for each in found if each.action.startswith(OF_A_MOVE)}


@contextmanager
def recorded(calls: list[Mapping[str, Any]]) -> Iterator[None]:
    """Write down what is sent by those clients and connections that are made as long as the context lasts."""
    create, connect = botocore.session.Session.create_client, Connection.__init__

    def create_client(*arguments: Any, **options: Any) -> Any:
        client = create(*arguments, **options)
        record_calls(client, calls.append)
        return client

    def make_connection(connection: Connection, settings: Settings) -> None:
        connect(connection, settings)
        post = connection.post

        def recorded_post(operation: str, body: bytes) -> bytes | Problem:
            call = {"service": "dynamodb", "operation": operation, "region": connection.region}
            calls.append({**call, "parameters": json.loads(body)})
            return post(operation, body)

        connection.post = recorded_post  # type: ignore[method-assign]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session.Session, "create_client", create_client)
        patch.setattr(Connection, "__init__", make_connection)
        yield


@pytest.fixture(scope="module")
def move(dynamodb_endpoint: str) -> Iterator[Move]:
    """Prepare a move with what the stack tells its owner, and go through it."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_endpoint)
        patch.setattr(switch, "APPCONFIG_EVERY", 0)
        made = Move({each: stack.enter_context(running_extension()) for each in FUNCTIONS})
        tools = application(made.tools)
        for table in tools.tables[:2]:
            table.create()
        try:
            create = ["table", "create", "--store", made.tools["MIGRATION_TARGET"]]
            created = CliRunner().invoke(
                app, create, env={**made.tools, "KINESIS_HANDLER_APP": "user_limits.wiring:application"}
            )
            assert created.exit_code == 0, created.output
            go_through(made)
            yield made
        finally:
            for table in tools.tables:
                if table.exists():
                    table.delete()


def go_through(move: Move) -> None:
    """Go there, back by one phase, and there again."""
    handler, shown = move.function("Consumer"), move.function("Api")
    for phase in Phase:
        move.go_to(phase)
        move.write(handler, phase)
        show(shown, phase)
    move.go_to(Phase.TARGET_DUAL)
    move.write(handler, Phase.TARGET)
    for side in Side:
        move.read_from(side)
        show(shown, Phase.TARGET)


def show(handler: Any, limit_id: str) -> None:
    limits = f"/api/v1/users/{SHOWN}/limits"
    for path in (limits, f"{limits}/{limit_id}", f"{limits}/{limit_id}/activity", "/readyz"):
        assert handler(event(path), None)["statusCode"] == 200


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_call_of_a_move_is_allowed_to_the_functions_role(move: Move, function: str) -> None:
    assert move.asked_by(function) - move.allowed_to(function) == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_role_allows_of_a_move_what_nobody_uses(move: Move, function: str) -> None:
    assert move.allowed_to(function) - move.asked_by(function) == set()
