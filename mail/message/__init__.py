"""Messages: compiled once a campaign, made one recipient after the other."""
