"""What is told of guesses and of rows that were left out, where nobody else listens."""

import logging
from collections.abc import Callable

Say = Callable[[str], None]


def warn(text: str) -> None:
    """Log a warning under ``sentiment``: it comes on stderr, unless a program routes or silences it."""
    logging.getLogger("sentiment").warning("%s", text)
