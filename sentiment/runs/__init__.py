"""Whole jobs in a folder, which can be resumed."""
