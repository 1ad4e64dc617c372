"""A server that describes a stream as a test wants, as Kinesis would: the emulator has no such stream."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/facts"
SUMMARY: Mapping[str, Any] = {
    "StreamName": "facts",
    "StreamARN": ARN,
    "StreamStatus": "ACTIVE",
    "RetentionPeriodHours": 24,
    "StreamCreationTimestamp": 1_763_800_000.0,
    "EnhancedMonitoring": [],
    "OpenShardCount": 1,
}
SHARD = {"ShardId": "shardId-000000000000", "SequenceNumberRange": {"StartingSequenceNumber": "1"}}

REFUSAL = {"__type": "InvalidArgumentException", "message": "StartingSequenceNumber is no longer available"}


@contextmanager
def fake_kinesis(summary: Mapping[str, Any] | None = None, *, expired: bool = False) -> Iterator[str]:
    """Serve an empty stream of one shard; yield the endpoint.

    Args:
        summary: members that its description has too.
        expired: it refuses every sequence number to read on from.
    """
    answers = {
        "DescribeStreamSummary": {"StreamDescriptionSummary": {**SUMMARY, **(summary or {})}},
        "ListShards": {"Shards": [SHARD]},
        "GetShardIterator": {"ShardIterator": "iterator"},
        "GetRecords": {"Records": [], "NextShardIterator": "iterator", "MillisBehindLatest": 0},
    }

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer: object = answers[self.headers["X-Amz-Target"].rpartition(".")[2]]
            is_refused = expired and "StartingSequenceNumber" in asked
            body = json.dumps(REFUSAL if is_refused else answer).encode()
            self.send_response(400 if is_refused else 200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
