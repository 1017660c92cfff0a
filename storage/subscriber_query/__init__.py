"""Query expressions over subscribers."""
