"""What decides about egress: the list of domains, the addresses that are never reached, and how a tunnel has to begin."""
