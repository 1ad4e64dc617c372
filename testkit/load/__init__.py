"""Load: events of synthetic users at a rate, through the handler or onto a real stream."""
