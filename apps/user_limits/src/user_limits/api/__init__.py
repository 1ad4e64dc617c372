"""The window onto the limits: an HTTP API that reads the repository, and changes nothing."""
