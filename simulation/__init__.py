"""Simulates everything around the handlers on one thread, from one seed, many thousand events a second.

    python -m simulation --seeds 1000

A seed draws the stream, which faults there are in this world, and when each occurs. Time is simulated, and
the stores are in memory. A run ends when all is acknowledged and nothing waits; then what is stored is
compared with the ledger, which reads the same events and shares no code with the product. A seed that fails
is shrunk: to the fewest events and faults with which it still fails.
"""
