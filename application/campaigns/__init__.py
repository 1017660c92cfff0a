"""Campaigns and their templates: writing, checking, starting and steering them, previews and test e-mails."""
