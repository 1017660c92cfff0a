"""The directory: personal data lives here alone."""
