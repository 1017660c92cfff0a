"""Who is on lists and may be mailed: how many, and in what order they are queued."""
