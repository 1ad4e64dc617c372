"""Runs a worker on `amazon_kclpy`: AWS's Kinesis Client Library in Java, which starts a process per shard.

The daemon, MultiLangDaemon, talks with each process through the pipes of standard input and output. Whatever
else the process would write to standard output must not reach them.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

from kinesis_handler.errors import ConfigurationError
from kinesis_handler.extras import require_extra
from kinesis_handler.kcl.fleet import Fleet
from kinesis_handler.kcl.processor import Work
from kinesis_handler.local.stream.stop import Stop, Stopped

LOGGING_FILE = "logback.xml"
DAEMON = "software.amazon.kinesis.multilang.MultiLangDaemon"
_LONGEST_PAUSE = 1.0

_LOGGING = """<configuration>
  <appender name="ERR" class="ch.qos.logback.core.ConsoleAppender">
    <target>System.err</target>
    <encoder><pattern>%d{yyyy-MM-dd'T'HH:mm:ss.SSSX,UTC} %-5level %logger{36}: %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="ERR"/></root>
</configuration>
"""
"""Settings of the daemon's own log. By default it logs four lines for each read of each shard."""


def daemon_command(properties: Path) -> list[str]:
    """Return the command that runs the daemon.

    Raises ConfigurationError if Java, the library or its jars are missing.
    """
    java = shutil.which("java")
    if java is None:
        raise ConfigurationError(
            "--daemon is given, and there is no `java` on the PATH: the daemon of amazon_kclpy runs on it. "
            "Install a JRE; or leave --daemon out, and the worker runs without Java"
        )
    spec = find_spec("amazon_kclpy")
    jars = [Path(each) / "jars" for each in (spec.submodule_search_locations or ())] if spec else []
    if not any(folder.glob("*.jar") for folder in jars):
        what = "is not installed" if spec is None else f"has no jars in {jars[0]}"
        raise ConfigurationError(
            f"--daemon is given, and amazon_kclpy {what}: pip install 'kinesis-handler[kcl-daemon]'"
        )
    # An emulator does not know CBOR; AWS knows both.
    flags = ["-Daws.cborEnabled=false"] if "AWS_ENDPOINT_URL_KINESIS" in os.environ else []
    class_path = os.pathsep.join(f"{folder}{os.sep}*" for folder in jars)
    logging = properties.with_name(LOGGING_FILE)
    arguments = ["--properties-file", str(properties), "--log-configuration", str(logging)]
    return [java, *flags, "-cp", class_path, DAEMON, *arguments]


def write_properties(fleet: Fleet, executable: Sequence[str], grace: float) -> Path:
    """Write the daemon's settings into a new, temporary folder; return the path of their file.

    Args:
        fleet: the stream and the leases.
        executable: the command of a process for a shard. The daemon divides it at spaces.
        grace: seconds for the processes to end in.

    Raises ConfigurationError if a part of the command has a space.
    """
    if spaced := [each for each in executable if " " in each]:
        raise ConfigurationError(f"{spaced[0]!r} has a space in it, at which the daemon would divide it")
    settings: dict[str, object] = {
        "executableName": " ".join(executable),
        "streamName": fleet.stream,
        "applicationName": fleet.leases,
        "workerId": fleet.worker.replace(":", "-"),
        "regionName": fleet.region,
        "AwsCredentialsProvider": "DefaultCredentialsProvider",
        "processingLanguage": f"python/{sys.version_info.major}.{sys.version_info.minor}",
        "initialPositionInStream": "TRIM_HORIZON",
        "retrievalMode": "POLLING",
        "callProcessRecordsEvenForEmptyRecordList": "true",  # else nothing would deliver what is due
        "metricsLevel": "NONE",
        "shutdownGraceMillis": int(grace * 1_000),
    }
    if fleet.since is not None:
        settings["initialPositionInStreamExtended"] = int(fleet.since)
    for service, name in (("KINESIS", "kinesisEndpoint"), ("DYNAMODB", "dynamoDBEndpoint")):
        if endpoint := os.environ.get(f"AWS_ENDPOINT_URL_{service}"):
            settings[name] = endpoint
    folder = Path(tempfile.mkdtemp(prefix="kinesis-handler-"))
    (folder / LOGGING_FILE).write_text(_LOGGING, encoding="utf-8")
    properties = folder / "daemon.properties"
    properties.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()), "utf-8")
    return properties


class ParentStop(Stop):
    """A stop that notices too when the daemon is gone: nobody else would tell a process that waits."""

    def __init__(self) -> None:
        super().__init__()
        self._parent = os.getppid()

    def pause(self, seconds: float) -> None:
        """Wait. Raises Stopped as soon as it is set, or the daemon is gone."""
        while True:
            super().pause(min(seconds, _LONGEST_PAUSE))
            if os.getppid() != self._parent:
                raise Stopped
            seconds -= _LONGEST_PAUSE
            if seconds <= 0:
                return


def protocol_output() -> TextIO:
    """Return standard output for the protocol alone: all else that writes to it goes to standard error."""
    sys.stdout.flush()
    protocol = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr  # which is not buffered: the daemon may kill the process at any time
    return protocol


def serve_daemon(work: Work, output: TextIO) -> None:
    """Process one shard for the daemon, until that closes the pipe.

    Raises what the record processor raised: the daemon ends with a process that fails.
    """
    with require_extra("worker on the daemon", "kcl-daemon"):
        from amazon_kclpy import kcl  # noqa: PLC0415 - an extra

    process = kcl.KCLProcess(work(), output_file=output)
    perform: Callable[[object], None] = process._perform_action  # noqa: SLF001 - it has nothing public

    def perform_or_end(action: object) -> None:
        """End with the first failure, where the library would go on with the next records."""
        perform(action)
        if work.failure is not None:
            raise SystemExit(1) from work.failure

    process._perform_action = perform_or_end  # noqa: SLF001
    process.run()
