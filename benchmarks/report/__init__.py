"""The figures of results.json, as tables and pictures. It does not import what was measured."""
