"""A layer for functions: it records their calls of AWS, and can kill them in the middle of one."""
