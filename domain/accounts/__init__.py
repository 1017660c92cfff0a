"""Who may work with an installation."""
