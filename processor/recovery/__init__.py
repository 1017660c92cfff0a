"""Who lives, and what the dead have left open."""
