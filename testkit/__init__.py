"""Shared by tests, chaos, fuzz and benchmarks. It ships with neither the library nor the application."""
