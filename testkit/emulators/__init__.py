"""The real components that tests, benchmarks and people run against, on this machine alone."""
