"""Moving from one store to another while events keep flowing: phases, switch, copying, verifying."""
