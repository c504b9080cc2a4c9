"""What people are told, and texts in it: they must not steer a terminal, or what stands around them."""

import logging
import re
from collections.abc import Callable

Say = Callable[[str], None]


def warn(text: str) -> None:
    """Log a warning under ``sentiment``: it comes on stderr, unless a program routes or silences it."""
    logging.getLogger("sentiment").warning("%s", text)


def printable(text: str) -> str:
    """Return a text without control characters: it must not steer a terminal, or break a line."""
    return "".join(char if char.isprintable() else " " for char in text)


# Letters that are written from right to left: Hebrew, Arabic and others.
LEFTWARD = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")
LEFTWARD_RUN = re.compile(rf"{LEFTWARD.pattern}(?:[^\w\n]*{LEFTWARD.pattern})*")


def isolated(text: str) -> str:
    """Enclose runs of right-to-left letters, so that they leave the order of what is around them alone.

    Without it a number after an Arabic name would be shown before it.
    """
    return text if text.isascii() else LEFTWARD_RUN.sub(lambda run: quoted(run[0]), text)


def quoted(text: str) -> str:
    """Enclose a whole text that has right-to-left letters: it is then shown in its own direction."""
    return f"\u2068{text}\u2069" if LEFTWARD.search(text) else text
