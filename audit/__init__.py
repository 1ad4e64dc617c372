"""What the artifacts are made of, and whether it may be: `make audit`, and `make wheels`."""
