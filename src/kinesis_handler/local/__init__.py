"""Runs a handler without Lambda: the event source mapping, a stream and its checkpoints, redrive."""
