"""How projections follow the log."""
