"""A real Kinesis stream: read shard by shard through the handler, where there is no Lambda; and written."""
