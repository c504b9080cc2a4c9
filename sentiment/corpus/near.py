"""Texts that are nearly equal: MinHash with locality-sensitive hashing (Broder 1997)."""

import re
import zlib
from collections.abc import Sequence

PERMUTATIONS = 64
WORDS = 3  # in a shingle


def shingles(text: str) -> set[bytes]:
    """Return the word triples of a text, without case and punctuation."""
    words = re.findall(r"\w+", text.casefold())
    return {
        " ".join(words[start : start + WORDS]).encode() for start in range(max(1, len(words) - WORDS + 1))
    }


def near_duplicates(texts: Sequence[str], similarity: float) -> list[tuple[int, int]]:
    """Find the texts that nearly repeat an earlier one.

    Candidates come from MinHash; each is confirmed by the Jaccard similarity of its word triples.

    Returns
    -------
    list of (int, int)
        Row of an earlier text and of the later one, at most one pair for each later text.
    """
    from datasketch import MinHash, MinHashLSH

    # Candidates only: beyond these limits so few sketches have no bands to hash.
    index = MinHashLSH(threshold=min(0.9, max(0.1, similarity)), num_perm=PERMUTATIONS)
    pairs = []
    for row, text in enumerate(texts):
        mine = shingles(text)
        sketch = MinHash(num_perm=PERMUTATIONS, hashfunc=zlib.crc32)
        sketch.update_batch(mine)
        for earlier in sorted(index.query(sketch)):
            other = shingles(texts[earlier])
            if len(mine & other) >= similarity * len(mine | other):
                pairs.append((earlier, row))
                break
        index.insert(row, sketch)
    return pairs
