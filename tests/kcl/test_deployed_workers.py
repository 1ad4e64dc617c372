"""The image of a worker, and what the how-to says of it on Kubernetes, fit the command and the repository."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from kinesis_handler.cli.commands import app

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "apps" / "user_limits" / "worker.Dockerfile").read_text()
HOW_TO = (ROOT / "docs" / "how-to" / "workers.md").read_text()


def options() -> set[str]:
    command: Any = typer.main.get_command(app)
    return {each for parameter in command.commands["worker"].params for each in parameter.opts}


def test_all_that_the_image_copies_is_in_the_repository() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    assert copied
    for each in " ".join(copied).split():
        assert (ROOT / each).exists(), each


def test_the_image_runs_the_worker_without_a_shell_as_a_user_that_is_not_root() -> None:
    last = DOCKERFILE.rpartition("FROM ")[2]
    assert re.findall(r"^USER (\d+)$", last, re.MULTILINE) == ["10001"]
    assert 'ENTRYPOINT ["/venv/bin/kinesis-handler", "worker"]' in last
    assert "--require-hashes" in DOCKERFILE


def test_the_deployment_on_kubernetes_gives_options_that_exist_and_more_time_than_the_worker_takes() -> None:
    [manifest] = re.findall(r"```yaml\n(.+?)```", HOW_TO, re.DOTALL)
    pod = yaml.safe_load(manifest)["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert {each.partition("=")[0] for each in container["args"]} <= options()
    assert pod["terminationGracePeriodSeconds"] > 25
    assert container["securityContext"]["runAsNonRoot"]
    port = container["livenessProbe"]["httpGet"]["port"]
    assert f"--metrics-port={port}" in container["args"]


@pytest.mark.parametrize("option", sorted(set(re.findall(r"`(--[a-z-]+)", HOW_TO))))
def test_every_option_that_the_how_to_names_exists(option: str) -> None:
    assert option in options()
