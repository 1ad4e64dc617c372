"""`serve` shows a new project over HTTP, without a line of its own for that."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

PROGRAM = Path(sys.executable).with_name("kinesis-handler")


@pytest.mark.other_programs
def test_what_is_stored_is_answered_as_json_at_the_address_that_is_printed(project: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name != "KINESIS_HANDLER_APP"}
    command = [str(PROGRAM), "serve", "events.jsonl", "--port", "0"]
    with subprocess.Popen(
        command,
        cwd=project,
        env={**kept, "LOG_LEVEL": "critical", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            found = (re.match("http://\\S+", line) for line in process.stdout)
            example = next(match[0] for match in found if match)
            assert example.endswith("/accounts/ada")
            with urlopen(example) as answer:  # noqa: S310 - our own
                assert [each["key"][1] for each in json.load(answer)["data"]] == ["daily", "savings"]
            with urlopen(f"{example}/daily") as answer:  # noqa: S310 - our own
                assert json.load(answer)["data"]["state"] == {"balance": 100.25, "movements": 2}
            with pytest.raises(HTTPError) as caught:
                urlopen(f"{example}/none")  # noqa: S310 - our own
            assert caught.value.code == 404
            caught.value.close()
        finally:
            process.terminate()
