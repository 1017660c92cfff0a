"""Templates: rendered within bounds."""
