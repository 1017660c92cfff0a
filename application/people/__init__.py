"""People and their lists: what can be asked and done."""
