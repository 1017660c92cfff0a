"""Addresses: judged once, here, and accepted everywhere after that."""
