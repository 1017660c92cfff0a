"""Shapes that pages, API and listmonk's API share, above them all."""
