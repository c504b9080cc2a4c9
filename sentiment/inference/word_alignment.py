"""Which characters of a text are a word, and which of its tokens make it up.

Tokens may be parts of words, single characters, or a mask for a URL; people read words. Of features, which
nobody reads, the words are the numbers of the steps.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import pre_tokenizers

from sentiment.data.features import Array, Features
from sentiment.data.normalize import BREAKS, URL
from sentiment.data.scripts import LONGEST, UNSPACED, marks
from sentiment.data.sequences import Sequences
from sentiment.data.tokenizer import UNKNOWN_ID, Tokenizer

Span = tuple[int, int]
SPACED = re.compile(f"[^{UNSPACED}]+")
EMOJI = re.compile("[^\\w\\s\u200d](?:[\ufe0f\U0001f3fb-\U0001f3ff]|\u200d[^\\w\\s])+")  # of several signs
CONTRACTION = re.compile(r"\b\w++(?:['’]\w++)+")  # don't; without steps back, as a word may be 100,000 long


@dataclass(frozen=True)
class Words:
    """The words of one text, or the steps of features.

    Attributes
    ----------
    text
        What the words are in: the text itself, or "1 2 3 …" for steps.
    spans
        Where each of W words begins and ends, in characters of the text, in order; none overlap.
    ids
        (T,) tokens that the model reads: those that `Tokenizer.encode` gives; or features (T, D).
    owners
        (T,) number of the word that each token belongs to. A word without a token here was cut off by
        truncation.
    whole, whole_owners
        (N,) the same of all tokens, for n-grams, which are not truncated; or of no features.
    nothing
        (1,) what the tokenizer gives for a text without tokens; or (1, D) the mean step.
    unit
        What a word is called.
    """

    text: str
    spans: list[Span]
    ids: NDArray[np.int32] | Array
    owners: NDArray[np.int64]
    whole: NDArray[np.int32]
    whole_owners: NDArray[np.int64]
    nothing: NDArray[np.int32] | Array = field(default_factory=lambda: np.array([UNKNOWN_ID], np.int32))
    unit: str = "word"


def find_words(tokenizer: Tokenizer, text: str) -> Words:
    """Return the words of a text: runs of letters and digits, or of other signs, and whole URLs.

    Whatever overlaps is one word: with subwords, the pieces of a word; with any tokenizer, a URL that is
    masked, or an emoji of several signs. Where there are no spaces between words, as in Chinese, Thai or
    DNA, the tokens themselves are the words. A token of nothing but space belongs to the word after it.
    """
    tokens = tokenizer.tokens(text)
    plain = text
    if tokenizer.config.strip_html:
        for tag in BREAKS:
            plain = plain.replace(tag, " " * len(tag))  # as the tokenizer does, in the same places
    pieces = () if tokenizer.config.kind == "kmer" else _pieces(plain, tokenizer.config.urls == "mask")
    stripped = [_strip(plain, *span) for span in tokens.spans]
    spans = _merge([*pieces, *(span for span in stripped if span[0] < span[1])]) or [(0, len(text))]
    begins = [begin for begin, _ in spans]
    owners = [
        bisect_right(begins, begin) - 1 if begin < end else min(bisect_left(begins, end), len(spans) - 1)
        for begin, end in stripped
    ]
    owned = sorted(set(owners))  # a lone accent that is stripped has no token
    numbers = {word: number for number, word in enumerate(owned)}
    owner = np.array([numbers[word] for word in owners], np.int64)
    return Words(
        text, [spans[word] for word in owned], tokens.ids, owner[tokens.read], tokens.whole, owner
    )  # fmt: skip


def find_steps(features: Features, array: Array) -> Words:
    """Return the steps of features (T, F), as words that count from 1."""
    names = [str(number) for number in range(1, len(array) + 1)]
    ends = np.cumsum([len(name) + 1 for name in names]) - 1
    spans = [(int(end) - len(name), int(end)) for name, end in zip(names, ends, strict=True)]
    values = features.encode([array]).sequences.values.astype(np.float32)
    steps = Sequences.of([np.arange(len(array), dtype=np.int32)])
    read = features.limited(steps).values
    none = np.empty(0, np.int32), np.empty(0, np.int64)
    nothing = np.zeros_like(values[:1])
    return Words(" ".join(names), spans, values, read.astype(np.int64), *none, nothing, "step")


FINDERS: dict[str, Callable[[Any, Any], Words]] = {
    "text": find_words,
    "features": find_steps,
}  # by input


def _pieces(plain: str, whole_urls: bool) -> Iterator[Span]:
    """Yield what is a word, whatever the tokens; some overlap."""
    for _, span in pre_tokenizers.Whitespace().pre_tokenize_str(plain):
        for run in SPACED.finditer(plain, *span):
            if len(run[0]) <= LONGEST or not run[0][0].isalnum():  # else it is no word
                yield run.span()
    patterns = [CONTRACTION, EMOJI]
    if whole_urls:
        patterns.append(re.compile(URL))
    if signs := marks([plain]):
        patterns.append(re.compile(rf"\S[{signs}]+"))
    for pattern in patterns:
        yield from (match.span() for match in pattern.finditer(plain))


def _strip(text: str, begin: int, end: int) -> Span:
    """Leave out the space around a span; of nothing but space, its end is left."""
    piece = text[begin:end]
    begin += len(piece) - len(piece.lstrip())
    return begin, begin + len(piece.strip())


def _merge(spans: Iterable[Span]) -> list[Span]:
    """Join the spans that overlap."""
    merged: list[Span] = []
    for begin, end in sorted(spans):
        if merged and begin < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged
