"""The sections of the settings: a file for each group of rooms that read them."""
