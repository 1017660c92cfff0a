"""What was done with people and lists."""
