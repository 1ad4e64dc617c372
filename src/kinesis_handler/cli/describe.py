"""Implements `describe`: shows what the function of an application needs on AWS."""

import os
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager, suppress
from tempfile import TemporaryDirectory
from typing import Annotated

import msgspec
import typer
from rich.table import Column

from kinesis_handler.aws import find_region
from kinesis_handler.cli.application import ApplicationName, StoreUrl, load_application
from kinesis_handler.cli.console import echo, echo_json, plain_grid, standard_output, styled
from kinesis_handler.cli.project import named_application
from kinesis_handler.errors import KinesisHandlerError
from kinesis_handler.project.needs import Needs, Permission, Setting, needs_of
from kinesis_handler.project.variables import recorded_variables
from kinesis_handler.project.watching import Alarm, Metric

ANY_REGION = "us-east-1"


def describe(
    application_name: ApplicationName = None,
    store: StoreUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,  # noqa: FBT002
) -> None:
    """Show what the function needs on AWS: tables, variables, permissions, settings and alarms, with reasons.

    Nothing is asked of AWS. Name the store that the function will have: --store dynamodb://TABLE.
    """
    name = named_application(application_name)
    package = name.partition(":")[0].partition(".")[0]
    with _region_as_on_lambda(), recorded_variables(package) as variables:
        application = load_application(name, store)
        if store is not None:
            _load_on_its_own_store(name)
    needs = needs_of(application, name, sorted(variables.values(), key=lambda each: each.name))
    if as_json:
        echo_json(msgspec.to_builtins(needs))
    else:
        _print(needs)


@contextmanager
def _region_as_on_lambda() -> Iterator[None]:
    """Set a region, as Lambda does, where there is none: clients want one, and nothing is asked of them."""
    found = find_region(default=ANY_REGION)
    if found != ANY_REGION or "AWS_REGION" in os.environ:
        yield
        return
    os.environ["AWS_REGION"] = found
    try:
        yield
    finally:
        del os.environ["AWS_REGION"]


def _load_on_its_own_store(name: str) -> None:
    """Build the application once more, so that it reads the variable that names its store.

    That may fail: the variable may be missing here. What a file is made for is in a folder that goes.
    """
    with suppress(KinesisHandlerError), TemporaryDirectory() as folder, chdir(folder):
        load_application(name)


def _print(needs: Needs) -> None:
    echo(f"{needs.application} takes {', '.join(needs.event_types)}", "bold")
    for missing in needs.missing:
        echo(f"missing: {missing}", "yellow")
    if needs.tables:
        _heading("tables")
        for table in needs.tables:
            keys = f"keys {table.partition_key} and {table.sort_key}, strings"
            echo(f"  {table.name}: {keys}; time to live by {table.time_to_live}")
    if needs.environment:
        _heading("environment")
        for variable in needs.environment:
            echo(f"  {variable.name}: {'is set' if variable.is_set else 'is not set'}")
    _print_permissions("permissions", needs.permissions)
    _print_permissions("permissions of a function that only reads, such as an API", needs.api_permissions)
    _print_settings("function", needs.function)
    _print_settings("event source mapping", needs.mapping)
    _heading("alarms")
    for alarm in needs.alarms:
        echo(f"  {alarm.name}: {alarm.reason}")
        echo(f"    {_shown(alarm.metric)} ≥ {alarm.threshold}, {_how_long(alarm)}", "dim")
    _heading("dashboard")
    for graph in needs.dashboard:
        echo(f"  {graph.title}: {', '.join(metric.name for metric in graph.metrics)}")


def _shown(metric: Metric) -> str:
    statistic = "" if metric.statistic == "Sum" else f" ({metric.statistic})"
    return f"{metric.namespace} {metric.name}{statistic}"


def _how_long(alarm: Alarm) -> str:
    """Return for how long the value must be too high; a period is a minute."""
    if alarm.evaluation_periods == 1:
        return "in any minute"
    return f"in {alarm.datapoints_to_alarm} of {alarm.evaluation_periods} minutes"


def _heading(text: str) -> None:
    echo("")
    echo(text, "bold cyan")


def _print_permissions(title: str, permissions: Sequence[Permission]) -> None:
    if not permissions:
        return
    _heading(title)
    for each in permissions:
        echo(f"  {each.resource}: {each.reason}")
        echo(f"    {', '.join(each.actions)}", "dim")


def _print_settings(title: str, settings: Sequence[Setting]) -> None:
    _heading(title)
    table = plain_grid(Column(no_wrap=True), Column(style="dim", overflow="fold"))
    for each in settings:
        value = each.value if isinstance(each.value, str) else msgspec.json.encode(each.value).decode()
        table.add_row(styled(f"{each.name}: {value}"), styled(each.reason))
    standard_output().print(table)
