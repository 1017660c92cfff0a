"""Campaigns for people."""
