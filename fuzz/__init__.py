"""What must hold of the handler whatever comes, and a search for what breaks it: `make fuzz`."""
