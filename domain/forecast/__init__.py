"""When campaigns will have gone out."""
