"""What people wrote, tried in processes of their own: previews, checks and Markdown."""
