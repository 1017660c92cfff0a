"""What servers may still send, and which delivery goes through which of them."""
