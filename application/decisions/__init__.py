"""The queue: its deliveries, and stepping in."""
