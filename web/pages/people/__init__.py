"""Subscribers and lists for people."""
