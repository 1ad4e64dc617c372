"""A layer for functions: what they ask of AWS is written down, and they can be killed in the middle of it."""
