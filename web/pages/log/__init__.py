"""The log for people."""
