"""Deployment to AWS: building the artifacts, expanding the template, and calling `sam`."""
