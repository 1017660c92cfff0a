"""What the dashboard is made from."""
