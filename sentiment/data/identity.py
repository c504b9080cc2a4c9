"""When two texts count as the same."""

import re
import unicodedata

from sentiment.data.scripts import is_mark

ASCII_SIGNS = {code: " " for code in range(128) if not chr(code).isalnum()}


def normalise(text: str) -> str:
    """Return a text without case, punctuation and spacing: what makes two texts repeats.

    Symbols beyond ASCII, such as emoji, stay: they can be all that tells two texts apart. So do accents
    and vowel signs that are characters of their own.
    """
    folded = text.casefold().translate(ASCII_SIGNS)
    kept = re.sub(r"[^\w\s]", _keep_symbol, folded) if not folded.isascii() else folded
    return " ".join(kept.split()) or " ".join(text.casefold().split())


def _keep_symbol(match: re.Match[str]) -> str:
    return match[0] if unicodedata.category(match[0]) == "So" or is_mark(match[0]) else " "
