"""The queue for people."""
