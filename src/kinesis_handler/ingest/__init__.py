"""Turns an invocation by Lambda into events: records, KPL records, envelopes."""
