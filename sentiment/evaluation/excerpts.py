"""The part of a text that has most of the weight."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sentiment.core.schema.report import Word

if TYPE_CHECKING:
    pass

SHOWN = 400  # characters of a text


def excerpt(text: str, words: Sequence[Word] = (), longest: int = SHOWN) -> tuple[str, list[Word]]:
    """Return the part of a text that has most of the weight, and the words in it.

    The part has at most `longest` characters and is cut at a space, if one is near; "…" stands where it
    was cut, and `start` and `end` of the words are places in what is returned.
    """
    if len(text) <= longest:
        return text, list(words)
    room = longest - 2
    begin = 0
    if words:
        starts = np.array([word["start"] for word in words])
        sums = np.concatenate([[0.0], np.cumsum([abs(word["weight"]) for word in words])])
        # Of the words that begin at each word and end within the room after it.
        last = np.searchsorted([word["end"] for word in words], starts + room, side="right")
        best = int(np.argmax(sums[np.maximum(last, np.arange(len(words)))] - sums[:-1]))
        begin = min(int(starts[best]), len(text) - room)
    end = begin + room
    begin += 0 if begin == 0 or text[begin - 1].isspace() else _to_space(text[begin:end])
    end -= 0 if end == len(text) or text[end].isspace() else _to_space(text[begin:end][::-1])
    before, after = "…" * (begin > 0), "…" * (end < len(text))
    shift = len(before) - begin
    inside: list[Word] = [
        {**word, "start": word["start"] + shift, "end": word["end"] + shift}
        for word in words
        if begin <= word["start"] and word["end"] <= end
    ]
    return before + text[begin:end] + after, inside


def _to_space(text: str) -> int:
    """Return how many characters stand before the first space, or 0 if one is not near."""
    match = re.search(r"\s", text[:40])
    return match.start() if match else 0
