"""An SMTP server for tests, benchmarks and demonstrations."""
