"""`postledger campaign …`."""
