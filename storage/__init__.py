"""What PostgreSQL keeps that is not derived from anything else."""
