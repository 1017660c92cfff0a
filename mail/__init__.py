"""What a message is and how it is handed over. No database, no threads, no scheduler."""
