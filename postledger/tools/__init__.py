"""What helps to try and to look after an installation."""
