"""What an installation has behind it when a benchmark begins."""
