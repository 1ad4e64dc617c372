"""CloudWatch's embedded metric format, as its specification has it.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from typing import Any

MAX_METRICS, MAX_VALUES, MAX_DIMENSIONS = 100, 100, 30
UNITS = {"Count", "Milliseconds"}


def metrics_in(line: str) -> dict[str, tuple[str, list[float]]]:
    """Return name → (unit, values) of a line, which must keep the rules of the format."""
    document = json.loads(line)
    told: dict[str, Any] = document["_aws"]
    assert isinstance(told["Timestamp"], int)
    found: dict[str, tuple[str, list[float]]] = {}
    for directive in told["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert 1 <= len(directive["Namespace"]) <= 1024
        for dimensions in directive["Dimensions"]:
            assert len(dimensions) <= MAX_DIMENSIONS
            for name in dimensions:
                assert isinstance(document[name], str)
                assert document[name]
        assert 1 <= len(directive["Metrics"]) <= MAX_METRICS
        for metric in directive["Metrics"]:
            name, unit = metric["Name"], metric["Unit"]
            assert name not in found
            assert unit in UNITS
            values = document[name] if isinstance(document[name], list) else [document[name]]
            assert 1 <= len(values) <= MAX_VALUES
            assert all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
            found[name] = unit, values
    return found
