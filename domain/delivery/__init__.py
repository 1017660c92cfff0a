"""Deliveries: one campaign to one recipient each."""
