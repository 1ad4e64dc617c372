"""The seeded chaos run: a stream is delivered while all around the handler fails, which must not matter.

    python -m chaos --events 100000 --seed 7

Everything random is drawn from the seed: the stream, the faults and when they strike, how batches are cut,
where a second handler comes in between. The run is one thread, but for the pool of the DynamoDB repository;
what its threads share is drawn by what is asked, not by who asks first. Time is simulated. So a seed is
enough to repeat a run, fault by fault, with the same version of the code.
"""
