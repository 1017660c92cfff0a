"""The sending policy for people."""
