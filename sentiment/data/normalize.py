"""Texts before they are tokens: case, accents, breaks, numbers, addresses; k-mers and strands of DNA."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Regex, normalizers

from sentiment.core.errors import CorpusError

if TYPE_CHECKING:  # predicting reads no settings that are worth the import
    from sentiment.core.sections.data import TokenizerConfig

BREAKS = ("<br />", "<br/>", "<br>")
# The inner and outer digits of numbers of three digits or more.
LONG_NUMBER = r"\d(?=\d\d)|(?<=\d)\d(?=\d)|(?<=\d\d)\d"
URL = r"(?i)\b(?:https?://|www\.)\S+"
MASK = " URL "  # no lower-cased text spells it so
# Nucleotides with the codes for "one of several" (IUPAC), and gaps.
STRAND = re.compile(r"[ACGTURYSWKMBDHVN.\-\s]+", re.IGNORECASE)
BASES, OPPOSITE = "ACGTURYSWKMBDHVN", "TGCAAYRSWMKVHDBN"
COMPLEMENT = str.maketrans(BASES + BASES.lower(), OPPOSITE + OPPOSITE.lower())
OF_RNA = COMPLEMENT | {ord("A"): "U", ord("a"): "u"}


def normalized(text: str, normalizer: normalizers.Normalizer | None) -> str:
    return text if normalizer is None else str(normalizer.normalize_str(text))


def normalize_plain(texts: Sequence[str], config: TokenizerConfig) -> Sequence[str]:
    """Do to `is_plain` texts what the normalizers of `tokenizers` do, for all of them at once."""
    if config.strip_html:
        for tag in BREAKS:
            texts = [text.replace(tag, " ") for text in texts]
    if config.lowercase:
        texts = [text.lower() for text in texts]
    if config.urls == "mask":
        url = re.compile(URL, re.ASCII)
        texts = [url.sub(MASK, text) if _may_have_url(text) else text for text in texts]
    if config.numbers == "shape" and texts:
        joined = np.frombuffer(bytearray("\n".join(texts), "latin-1"), np.uint8)
        is_digit = joined - ord("0") < 10  # unsigned
        inside = is_digit[2:] & is_digit[1:-1] & is_digit[:-2]
        for shift in range(3):
            joined[shift : shift + len(inside)][inside] = ord("0")
        whole = joined.tobytes().decode("latin-1")
        ends = accumulate(len(text) + 1 for text in texts)
        texts = [whole[end - len(text) - 1 : end - 1] for text, end in zip(texts, ends, strict=True)]
    return texts


def is_plain(text: str, config: TokenizerConfig) -> bool:
    """Say whether Python's lower-casing, digits and expressions surely are those of `tokenizers`."""
    if text.isascii():
        return True
    if config.strip_accents or (config.urls == "mask" and _may_have_url(text)):
        return False
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def _may_have_url(text: str) -> bool:
    """Say so much faster than the expression would, and sometimes in vain."""
    text = text.lower()
    return "://" in text or "www." in text


def normalizers_of(config: TokenizerConfig) -> list[normalizers.Normalizer]:
    steps: list[normalizers.Normalizer] = []
    if config.strip_html:
        steps += [normalizers.Replace(tag, " ") for tag in BREAKS]
    if config.lowercase:
        steps.append(normalizers.Lowercase())
    if config.strip_accents:
        steps += [normalizers.NFD(), normalizers.StripAccents()]
    if config.urls == "mask":
        steps.append(normalizers.Replace(Regex(URL), MASK))
    if config.numbers == "shape":
        steps.append(normalizers.Replace(Regex(LONG_NUMBER), "0"))
    if config.kind == "word":  # no spaces tell words apart in Chinese: each character becomes one
        steps.append(
            normalizers.BertNormalizer(
                clean_text=False, handle_chinese_chars=True, strip_accents=False, lowercase=False
            )
        )
    return steps


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
