"""What campaigns under way, or about to start, will come to."""
