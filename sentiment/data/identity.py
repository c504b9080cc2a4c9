"""When two texts count as the same, or nearly: MinHash with locality-sensitive hashing (Broder 1997)."""

import re
import unicodedata
import zlib
from collections.abc import Sequence

from sentiment.data.scripts import has_words, is_mark

ASCII_SIGNS = {code: " " for code in range(128) if not chr(code).isalnum()}
PERMUTATIONS = 64
WORDS, CHARACTERS = 3, 6  # in a shingle


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


def shingles(text: str, spaced: bool = True) -> set[bytes]:
    """Return the word triples of a text without case and punctuation, or its 6-grams if it has no words."""
    words = re.findall(r"\w+", text.casefold())
    between, size = (" ", WORDS) if spaced else ("", CHARACTERS)
    units: Sequence[str] = words if spaced else "".join(words)
    return {
        between.join(units[start : start + size]).encode() for start in range(max(1, len(units) - size + 1))
    }


def near_duplicates(texts: Sequence[str], similarity: float) -> list[tuple[int, int]]:
    """Find the texts that nearly repeat an earlier one.

    Candidates come from MinHash; each is confirmed by the Jaccard similarity of its word triples, or
    6-grams of characters if the texts have no words.

    Returns
    -------
    list of (int, int)
        Row of an earlier text and of the later one, at most one pair for each later text.
    """
    from datasketch import MinHash, MinHashLSH

    # Candidates only: beyond these limits so few sketches have no bands to hash.
    index = MinHashLSH(threshold=min(0.9, max(0.1, similarity)), num_perm=PERMUTATIONS)
    spaced = has_words(texts)
    pairs = []
    for row, text in enumerate(texts):
        own = shingles(text, spaced)
        sketch = MinHash(num_perm=PERMUTATIONS, hashfunc=zlib.crc32)
        sketch.update_batch(own)
        for earlier in sorted(index.query(sketch)):
            other = shingles(texts[earlier], spaced)
            if len(own & other) >= similarity * len(own | other):
                pairs.append((earlier, row))
                break
        index.insert(row, sketch)
    return pairs
