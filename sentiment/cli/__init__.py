"""The command line: a file for each group of verbs."""

from sentiment.cli.app import main

__all__ = ["main"]
