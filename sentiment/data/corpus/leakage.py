"""Patterns that alone tell the label: traces, perhaps, of how a corpus was made."""

import math
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from sentiment.core.schema.corpus import Leak
from sentiment.data.scripts import has_words, marks

FEWEST, FEWEST_SHARE = 20, 0.01  # least texts with a pattern: the larger of number and share
PRECISION, ODDS_RATIO = 0.95, 20.0
AFFIXES = (1, 3, 6)  # characters with which texts begin or end
MOST = 10
FRAGMENT = 2  # characters of a token in texts without words


def leakage(texts: Sequence[str], labels: Sequence[Any]) -> list[Leak]:
    """Find tokens, beginnings and endings of texts that nearly always come with one label.

    A pattern counts if at least 1 % of the texts (and 20 of them) have it, 95 % of these have the label, and
    the odds of the label among them are at least 20 times its odds in all texts. These odds are taken at
    the lower end of Wilson's 95 % interval.

    Returns
    -------
    list of dict
        ``kind`` (token, beginning or ending) and ``token``, ``label``, ``count`` (texts with the
        pattern), ``share`` (of these, with the label), ``lift`` (share over the label's share of all
        texts); the ten with the most mutual information with the label, in falling order.
    """
    totals = Counter(label for label in labels if label is not None)
    if len(totals) < 2:
        return []
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)  # patterns by kind and label
    tokens = _tokens(texts)
    for text, label in zip(texts, labels, strict=True):
        if label is not None:
            counts["token", label].update(tokens(text.lower()))
            counts["beginning", label].update({text[:size] for size in AFFIXES})
            counts["ending", label].update({text[-size:] for size in AFFIXES})
    fewest = max(FEWEST, math.ceil(FEWEST_SHARE * totals.total()))
    hints: dict[tuple[str, str], tuple[float, Leak]] = {}
    for (kind, label), patterns in counts.items():
        for pattern, hits in patterns.items():
            if hits < PRECISION * fewest:  # most patterns
                continue
            split = {name: counts[kind, name][pattern] for name in totals}
            count = sum(split.values())
            if count >= fewest and _tells(hits, count, totals[label] / totals.total()):
                whole = _whole(kind, pattern, texts)
                share = hits / count
                hint: Leak = {
                    "kind": kind,
                    "token": whole,
                    "label": label,
                    "count": count,
                    "share": share,
                    "lift": share * totals.total() / totals[label],
                }
                told_by = _information(split, totals)
                if told_by > hints.get((kind, whole), (-1.0, hint))[0]:  # several patterns may have one whole
                    hints[kind, whole] = told_by, hint
    told: list[Leak] = []
    # Among equals by what they are: sets have another order in each process.
    for _, hint in sorted(hints.values(), key=lambda scored: (-scored[0], scored[1]["token"])):
        if not any(_same(hint, better) for better in told):
            told.append(hint)
    return told[:MOST]


def _tokens(texts: Sequence[str]) -> Callable[[str], set[str]]:
    """Return a tokenizer: into words and signs, or into pairs of characters where there are no words."""
    if not has_words(texts):
        return lambda text: {text[start : start + FRAGMENT] for start in range(len(text) - FRAGMENT + 1)}
    word = rf"\w{marks(texts)}"
    token = re.compile(rf"[{word}]+|[^{word}\s]+")
    return lambda text: set(token.findall(text))


def _tells(hits: int, count: int, base: float) -> bool:
    """Whether a label is nearly certain where `hits` of `count` texts have it, and `base` of all texts."""
    from scipy import stats

    if hits < PRECISION * count:
        return False
    low = stats.binomtest(hits, count).proportion_ci(method="wilson").low
    return bool(low * (1 - base) >= ODDS_RATIO * base * (1 - low))


def _same(hint: Leak, better: Leak) -> bool:
    """Whether two beginnings, or two endings, are one pattern at different lengths."""
    if hint["kind"] == "token" or hint["kind"] != better["kind"]:
        return False
    short, long = sorted((hint["token"], better["token"]), key=len)
    return bool(long.startswith(short) if hint["kind"] == "beginning" else long.endswith(short))


def _whole(kind: str, pattern: str, texts: Sequence[str]) -> str:
    """Extend a beginning or ending to all that the texts with it have in common there."""
    if kind == "token":
        return pattern
    step = 1 if kind == "beginning" else -1
    own = [text[::step] for text in texts if text[::step].startswith(pattern[::step])]
    return os.path.commonprefix(own)[::step]  # noqa: RUF071 - characters are meant


def _information(split: dict[str, int], totals: Counter[str]) -> float:
    """Mutual information, in nats, of having a pattern and the label."""
    size, count = totals.total(), sum(split.values())
    bits = 0.0
    for label, total in totals.items():
        for cell, side in ((split[label], count), (total - split[label], size - count)):
            if cell:
                bits += cell / size * math.log(cell * size / (side * total))
    return bits
