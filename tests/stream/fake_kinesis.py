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


@contextmanager
def fake_kinesis(**summary: Any) -> Iterator[str]:
    """Serve an empty stream of one shard whose description has these members too; yield the endpoint."""
    answers = {
        "DescribeStreamSummary": {"StreamDescriptionSummary": {**SUMMARY, **summary}},
        "ListShards": {"Shards": [SHARD]},
        "GetShardIterator": {"ShardIterator": "iterator"},
        "GetRecords": {"Records": [], "NextShardIterator": "iterator", "MillisBehindLatest": 0},
    }

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps(answers[self.headers["X-Amz-Target"].rpartition(".")[2]]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
