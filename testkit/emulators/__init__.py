"""Real components and emulators for tests, benchmarks and manual runs, on this machine only."""
