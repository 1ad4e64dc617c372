"""What one clean pass over the events leads to. It shares no code with what it judges.

Events are dictionaries, decoded by Python's `json`; each application writes its rules out once more.
"""
