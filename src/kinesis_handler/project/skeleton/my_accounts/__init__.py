"""The balance of each account, out of the events of a bank."""
