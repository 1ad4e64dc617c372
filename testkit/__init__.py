"""What tests, chaos, fuzz and benchmarks share. It ships with neither library nor application."""
