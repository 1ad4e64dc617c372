"""Moving from one store to another while events keep flowing: the phases, the switch, copying, verifying."""
