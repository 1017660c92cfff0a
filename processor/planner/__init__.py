"""Which deliveries go out next, and through which server."""
