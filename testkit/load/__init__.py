"""Load: events of synthetic users at a given rate, through the handler or onto a real stream."""
