"""Benchmarks: the speed of the handler compared with peers. `python -m benchmarks`; see __main__.py."""
