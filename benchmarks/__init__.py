"""How fast it is, beside others that do the same: `python -m benchmarks`. See __main__.py."""
