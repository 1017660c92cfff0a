"""Subscribers and lists, as listmonk has them."""
