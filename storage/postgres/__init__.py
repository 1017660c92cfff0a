"""PostgreSQL itself: a server of one's own, and connections to any."""
