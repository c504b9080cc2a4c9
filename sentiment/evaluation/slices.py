"""Parts of the test texts, and how a model does on each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sentiment.core.schema.report import Slice
from sentiment.evaluation.evaluate import Scored
from sentiment.metrics.curves import part_score

if TYPE_CHECKING:
    from sentiment.data.sequences import Encoded

Mask = NDArray[np.bool_]

FEWEST, FEWEST_SHARE = 20, 0.01  # texts, and share of all, that a slice and its rest need
QUANTILES = 4
LOUD, LETTERS = 0.3, 10  # share of capitals from which a text is loud, if it has so many letters
# English only: for another language the slice is about whatever happens to look alike, or empty.
NEGATION = re.compile(
    r"\b(?:no|not|never|none|nobody|nothing|neither|nor|nowhere|hardly|barely|scarcely|without|cannot"
    r"|(?:is|are|was|were|do|does|did|have|has|had|ca|could|wo|would|should|must|need|ai|might)n['’]?t)\b",
    re.IGNORECASE,
)
URL = re.compile(r"https?://|www\.", re.IGNORECASE)


def slices(scored: Scored, encoded: Encoded, sources: Sequence[str] | None = None) -> list[Slice]:
    """Score the parts of the test texts, worst first: by accuracy less that of all other texts.

    Each has Wilson's interval of its accuracy, ``p`` of Fisher's exact test against the rest, and ``q``,
    which is `p` corrected for the number of slices (Benjamini and Hochberg 1995). Of texts that may have
    several labels it is the mean F1 of a text, with Student's interval and the test of Mann and Whitney.
    Parts with too few texts are left out. Sources are where each of the texts is from.
    """
    from scipy import stats

    quality = scored.task.quality(scored.labels, scored.predicted)
    fewest = max(FEWEST, FEWEST_SHARE * len(scored.texts))
    parts: list[Slice] = []
    for name, value, mask in _masks(scored, encoded, sources):
        count, rest = int(mask.sum()), int((~mask).sum())
        if min(count, rest) < fewest:
            continue
        inside, outside = quality[mask], quality[~mask]
        parts.append(
            {
                "slice": name,
                "value": value,
                **part_score(inside),
                "difference": float(inside.mean() - outside.mean()),
                "p": _differ(inside, outside),
                "q": 1.0,  # of all of them, see below
            }
        )
    corrected = stats.false_discovery_control([part["p"] for part in parts]) if parts else []
    for part, q in zip(parts, corrected, strict=True):
        part["q"] = float(q)
    return sorted(parts, key=lambda part: part["difference"])


def _differ(inside: NDArray[Any], outside: NDArray[Any]) -> float:
    """Return p of two parts having the same share of right texts, or about the same F1."""
    from scipy import stats

    if inside.dtype == bool:
        table = [[part.sum(), (~part).sum()] for part in (inside, outside)]
        return float(stats.fisher_exact(table).pvalue)
    p = stats.mannwhitneyu(inside, outside, method="asymptotic").pvalue
    return float(p) if np.isfinite(p) else 1.0  # all texts are alike


def _masks(
    scored: Scored, encoded: Encoded, sources: Sequence[str] | None
) -> Iterator[tuple[str, str, Mask]]:
    """Yield the slice, its value, and which texts are in it."""
    texts, has = scored.texts, scored.task.one_hot(scored.labels, len(scored.names))  # (B, C)
    yield from _quantiles("length", encoded.lengths, f"{{:,.0f}} {scored.input.unit}".format)
    yield from _quantiles("unknown words", encoded.unknown_rate, "{:.1%}".format)
    if not scored.task.exclusive:
        yield from _quantiles("labels of a text", has.sum(1), "{:.0f}".format)
    for name, own in zip(scored.names, has.T, strict=True):
        yield "label", name, own == 1
    for source in sorted(set(sources or ())):
        yield "source", source, np.array(sources) == source
    properties = {"truncated": encoded.truncated, "several windows": encoded.sequences.counts > 1}
    if scored.input.written:
        properties |= {
            "negation (English words)": _matches(texts, NEGATION.search),
            "digits": _matches(texts, re.compile(r"\d").search),
            "URL": _matches(texts, URL.search),
            "exclamation mark": _matches(texts, re.compile("[!！]").search),
            f"{LOUD:.0%} capitals or more": _matches(texts, _is_loud),
        }
    for name, mask in properties.items():
        yield name, "yes", mask
        yield name, "no", ~mask


def _matches(texts: Sequence[str], search: Callable[[str], object]) -> Mask:
    return np.fromiter((bool(search(text)) for text in texts), bool, len(texts))


def _is_loud(text: str) -> bool:
    letters = sum(map(str.isalpha, text))
    return letters >= LETTERS and sum(map(str.isupper, text)) >= LOUD * letters


def _quantiles(
    name: str, values: NDArray[Any], show: Callable[[float], str]
) -> Iterator[tuple[str, str, Mask]]:
    """Cut values into parts of about equal size; equal values stay together."""
    if not len(values):
        return
    edges = np.quantile(values, np.linspace(0, 1, QUANTILES + 1)[1:], method="inverted_cdf")
    low = -np.inf
    for edge in np.unique(edges):
        mask = (values > low) & (values <= edge)
        least, most = show(values[mask].min()), show(edge)
        yield name, most if least == most else f"{least.split()[0]} to {most}", mask
        low = edge
