"""The queue: one row a delivery."""
