"""Seeded chaos runs: a stream is delivered while everything around the handler fails, without any effect.

    python -m chaos --events 100000 --seed 7

Everything random comes from the seed: the stream, the faults and when they occur, how batches are cut, when a
second handler interrupts. The run uses one thread, except for the pool of the DynamoDB repository; what its
threads share is drawn from the content of a request, not from their order. Time is simulated. So a seed is
enough to repeat a run, fault by fault, with the same version of the code.
"""
