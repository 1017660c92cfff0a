"""Campaigns and templates, as listmonk has them."""
