"""Pages for people; what they do is shared with the API."""
