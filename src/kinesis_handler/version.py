"""The version of library and application: both pyproject.toml files take it from here."""

__version__ = "0.2.0"
