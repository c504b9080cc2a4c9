"""Texts before they are tokens: case, accents, breaks, numbers, addresses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Regex, normalizers

if TYPE_CHECKING:  # predicting reads no settings that are worth the import
    from sentiment.core.sections.data import TokenizerConfig

BREAKS = ("<br />", "<br/>", "<br>")
# The inner and outer digits of numbers of three digits or more.
LONG_NUMBER = r"\d(?=\d\d)|(?<=\d)\d(?=\d)|(?<=\d\d)\d"
URL = r"(?i)\b(?:https?://|www\.)\S+"
MASK = " URL "  # no lower-cased text spells it so


def normalized(text: str, normalizer: normalizers.Normalizer | None) -> str:
    return text if normalizer is None else str(normalizer.normalize_str(text))


def normalize_plain(texts: Sequence[str], config: TokenizerConfig) -> Sequence[str]:
    """Do to `_is_plain` texts what the normalizers of `tokenizers` do, for all of them at once."""
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
