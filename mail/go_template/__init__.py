"""Templates as listmonk's authors write them."""
