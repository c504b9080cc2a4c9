"""k-mers, the overlapping pieces of a sequence of symbols, and reverse complements of DNA and RNA."""

import re
from collections.abc import Iterable

from sentiment.core.errors import CorpusError

# Nucleotides with the codes for "one of several" (IUPAC), and gaps.
STRAND = re.compile(r"[ACGTURYSWKMBDHVN.\-\s]+", re.IGNORECASE)
BASES, OPPOSITE = "ACGTURYSWKMBDHVN", "TGCAAYRSWMKVHDBN"
COMPLEMENT = str.maketrans(BASES + BASES.lower(), OPPOSITE + OPPOSITE.lower())
OF_RNA = COMPLEMENT | {ord("A"): "U", ord("a"): "u"}


def starts(length: int, size: int, stride: int) -> range:
    """Return where the pieces of a sequence begin: every `stride` symbols, until all symbols are covered.

    A piece has `size` symbols, or fewer at the end of the sequence.
    """
    return range(0, max(1, length - size + stride), stride) if length else range(0)


def kmers(text: str, size: int, stride: int) -> list[str]:
    """Return the pieces of a text without its white space."""
    symbols = "".join(text.split())
    return [symbols[at : at + size] for at in starts(len(symbols), size, stride)]


def reverse_complements(texts: Iterable[str]) -> list[str]:
    """Return the reverse complements of sequences of nucleotides: the other strand in its own direction.

    Codes for several nucleotides become those of their complements (R is A or G, its complement Y is T
    or C); a sequence with U is RNA.

    Raises
    ------
    CorpusError
        If a text has another character.
    """
    strands = []
    for text in texts:
        match = STRAND.match(text)
        end = match.end() if match else 0
        if end < len(text):
            raise CorpusError(
                f"training.reverse_complement is for nucleotides (A, C, G, T, U, and IUPAC codes such as N), "
                f"and a training text has {text[end]!r}: {text[:60]!r}; "
                "leave it out: --set training.reverse_complement=false"
            )
        strands.append(text.translate(OF_RNA if "u" in text.lower() else COMPLEMENT)[::-1])
    return strands
