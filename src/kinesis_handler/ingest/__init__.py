"""From what Lambda hands over to events: records, KPL records, envelopes."""
