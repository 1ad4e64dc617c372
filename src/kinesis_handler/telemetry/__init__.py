"""Reports on a batch: log lines for people, metrics for alarms, spans for where the time went."""
