"""Users, keys and sessions."""
