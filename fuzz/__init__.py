"""Facts that must hold of the handler for any input, and a search for input that breaks it: `make fuzz`."""
