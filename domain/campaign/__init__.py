"""Campaigns: what they say, to whom, and how they go on."""
