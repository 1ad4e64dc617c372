"""The current state of every limit of every player, out of the facts on the stream."""
