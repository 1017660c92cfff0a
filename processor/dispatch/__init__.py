"""Attempts, from the reserved unit to the recorded outcome."""
