"""SMTP servers for people."""
