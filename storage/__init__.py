"""What PostgreSQL keeps that is not derived from the log."""
