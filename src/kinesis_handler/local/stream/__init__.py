"""Reads a real Kinesis stream shard by shard through the handler, without Lambda, and writes one."""
