"""Puts the events of a new project, and its handler, into the envelope that was chosen. Pure."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

EnvelopeName = Literal["native", "cloudevents", "eventbridge"]

_IMPORT = "from kinesis_handler.telemetry.metrics import Metrics\n"
_HANDLER = "KinesisHandler([Accounts(accounts)], quarantine=quarantine, reserve_ms=5_000, metrics=metrics)\n"
"""Lines of the skeleton's application that another envelope changes."""
_HANDLER_IN = """KinesisHandler(
        [Accounts(accounts)], envelope={}(), quarantine=quarantine, reserve_ms=5_000, metrics=metrics
    )
"""

_CLASSES = {"cloudevents": "CloudEvents", "eventbridge": "EventBridge"}


def with_envelope(application: str, events: str, envelope: EnvelopeName) -> tuple[str, str]:
    """Return the source of the skeleton's application, and its events, in an envelope.

    Args:
        application: the source, which reads the native envelope.
        events: the events, one on each line.
        envelope: the one to change both to.
    """
    if envelope == "native":
        return application, events
    name = _CLASSES[envelope]
    changed = application.replace(_IMPORT, f"from kinesis_handler.envelopes import {name}\n{_IMPORT}")
    changed = changed.replace(_HANDLER, _HANDLER_IN.format(name))
    lines = (json.dumps(_WRITERS[envelope](json.loads(line))) for line in events.splitlines())
    return changed, "".join(f"{line}\n" for line in lines)


def _cloud_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return a CloudEvent: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md."""
    return {
        "specversion": "1.0",
        "id": event["eventId"],
        "source": "/bank",
        "type": event["type"],
        "time": _time(event),
        "data": event["payload"],
    }


def _event_of_event_bridge(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event as EventBridge delivers it.

    Source: https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
    """
    return {
        "version": "0",
        "id": event["eventId"],
        "detail-type": event["type"],
        "source": "bank",
        "account": "123456789012",
        "time": _time(event),
        "region": "eu-north-1",
        "resources": [],
        "detail": event["payload"],
    }


def _time(event: Mapping[str, Any]) -> str:
    return datetime.fromtimestamp(event["createdAt"] / 1_000, UTC).isoformat().replace("+00:00", "Z")


_WRITERS: Mapping[EnvelopeName, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "cloudevents": _cloud_event,
    "eventbridge": _event_of_event_bridge,
}
