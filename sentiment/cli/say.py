"""What was guessed, or left out, goes to stderr: stdout is for data."""

import sys


def say(text: str) -> None:
    """Print a line for people."""
    print(text, file=sys.stderr)
