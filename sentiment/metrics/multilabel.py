"""Texts that may have several of L labels, or none: intervals of the scores, two models compared.

Arrays in, numbers out. The scores themselves are in `metrics`. Labels are (B, L) of 0 and 1.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentiment.metrics.bootstrap import percentiles, resamplings, wilson
from sentiment.metrics.multiclass import Labels, Probabilities, Ranking, decided

SHUFFLES = 9_999  # of the permutation test: its p is 1 of 10,000 at least
BATCH = 2**20  # numbers worked on at once: bounds memory


F1 = ("micro_f1", "macro_f1", "weighted_f1")


def intervals(
    labels: Labels,
    probabilities: Probabilities,
    thresholds: Sequence[float] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, list[float] | None]:
    """Return 95 % intervals of `metrics.multilabel_scores`, as `metrics.intervals` makes them.

    All scores but the two of rankings are sums over the texts, or follow from such.
    """
    predicted = decided(probabilities, thresholds)
    hits = np.concatenate([labels & predicted, predicted, labels], 1).astype(np.float64)  # (B, 3L)
    means = _each_text(labels, predicted, probabilities)
    table = np.stack(list(means.values()), 1)  # (B, scores)
    sides = np.flatnonzero(labels.any(0) & ~labels.all(0))
    rankings = [Ranking(labels[:, side] == 1, probabilities[:, side]) for side in sides]
    drawn = []
    for weights in resamplings(len(labels), resamples, seed):
        batch = _f1(*np.split(weights @ hits, 3, axis=1))
        batch |= dict(zip(means, (weights @ table).T / len(labels), strict=True))
        if rankings:
            ranked = np.array([ranking.scores(weights) for ranking in rankings])  # (labels, 2, R)
            batch["roc_auc"], batch["average_precision"] = _means_of_known(ranked)
        drawn.append(batch)
    right = int((predicted == labels).all(1).sum())
    unknown = {"roc_auc": None, "average_precision": None}
    # Where no text has a label, or each has all, these are 0 or 1 by convention.
    convention: tuple[str, ...] = ()
    if labels.all() or not labels.any():
        convention = ("lrap", "coverage_error", *(F1 if not labels.any() else ()))
    known = percentiles(drawn) | {"accuracy": wilson(right, len(labels))}
    return unknown | known | dict.fromkeys(convention)


def text_f1(labels: Labels, predicted: Labels) -> NDArray[np.float64]:
    """Return the F1 of the labels of each text, (B,); 1 where there are none and none are given."""
    return _share(2 * (labels & predicted).sum(1), labels.sum(1) + predicted.sum(1))


def mean_interval(values: NDArray[np.float64]) -> list[float] | None:
    """Return Student's 95 % interval of the mean of shares, within 0 and 1; None of fewer than two."""
    from scipy import stats

    if len(values) < 2:
        return None
    reach = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return [float(np.clip(values.mean() + side * reach, 0, 1)) for side in (-1, 1)]


def comparison(
    labels: Labels, ours: Labels, theirs: Labels, resamples: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Compare two classifiers on the same texts.

    Parameters
    ----------
    labels, ours, theirs
        (B, L) true labels, and those that each of the two gives.
    resamples, seed
        Of the bootstrap.

    Returns
    -------
    dict
        ``difference`` of the micro F1, ours − theirs, its 95 % ``interval`` (percentiles of a bootstrap
        over the texts, which are the same for both), and ``p`` of approximate randomisation, two-sided: how
        often the difference is as large if for each text chance says which of the two gave which answer
        (Noreen 1989; Yeh 2000). ``ours_only`` and ``theirs_only`` are the texts that only
        one of the two has wholly right; under ``accuracy`` are the difference of their shares, and ``p`` of
        McNemar's exact test on them.
    """
    from scipy import stats

    # Of a text only these numbers matter; many texts share them.
    columns = [(labels & one).sum(1) for one in (ours, theirs)] + [one.sum(1) for one in (ours, theirs)]
    kinds, counts = np.unique(np.stack([*columns, labels.sum(1)], 1), axis=0, return_counts=True)

    def apart(sums: NDArray[Any]) -> NDArray[np.float64]:  # (R, 5) -> (R,)
        hits, given, true = sums[:, :2], sums[:, 2:4], sums[:, 4:]
        f1 = _share(2 * hits, given + true, 0.0)
        return np.asarray(f1[:, 0] - f1[:, 1])

    sums, swap = counts @ kinds, kinds[:, [1, 0, 3, 2, 4]] - kinds
    difference = float(apart(sums[None])[0])
    generator, batch = np.random.default_rng(seed), max(1, BATCH // len(counts))
    drawn, shuffled = [], []
    for size in _parts(resamples, batch):
        drawn.append(apart(generator.multinomial(len(labels), counts / len(labels), size) @ kinds))
    for size in _parts(SHUFFLES, batch):
        shuffled.append(apart(sums + generator.binomial(counts, 0.5, (size, len(counts))) @ swap))
    as_large = int((np.abs(np.concatenate(shuffled)) >= abs(difference) - 1e-12).sum())
    right = [(one == labels).all(1) for one in (ours, theirs)]
    ours_only, theirs_only = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    contested = ours_only + theirs_only
    return {
        "difference": difference,
        "interval": [float(edge) for edge in np.percentile(np.concatenate(drawn), [2.5, 97.5])],
        "p": (1 + as_large) / (1 + SHUFFLES),
        "ours_only": ours_only,
        "theirs_only": theirs_only,
        "accuracy": {
            "difference": (ours_only - theirs_only) / len(labels),
            "p": float(stats.binomtest(ours_only, contested).pvalue) if contested else 1.0,
        },
    }


def losses(labels: Labels, probabilities: Probabilities) -> NDArray[np.float64]:
    """Return the log loss of each label of each text, (B, L)."""
    told = np.where(labels == 1, probabilities, 1 - probabilities)
    return np.asarray(-np.log(np.clip(told, np.finfo(np.float64).eps, 1)))


def _f1(
    hits: NDArray[np.float64], given: NDArray[np.float64], true: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return the means of F1 that follow from counts by label, each (R, L)."""
    each, whole = _share(2 * hits, given + true, 0.0), true.sum(1)
    return {
        "micro_f1": _share(2 * hits.sum(1), given.sum(1) + whole, 0.0),
        "macro_f1": each.mean(1),
        "weighted_f1": _share((each * true).sum(1), whole, 0.0),
    }


def _each_text(
    labels: Labels, predicted: Labels, probabilities: Probabilities
) -> dict[str, NDArray[np.float64]]:
    """Return the scores that are means over the texts, each (B,)."""
    from scipy.stats import rankdata

    hits = (labels & predicted).sum(1)
    # Of each true label: how many are as probable or more, and how many true ones of those.
    ranks = rankdata(-probabilities, "max", axis=1)
    among = rankdata(np.where(labels == 1, -probabilities, np.inf), "max", axis=1)
    told_apart = (labels.sum(1) > 0) & (labels.sum(1) < labels.shape[1])
    precision = _share((labels * among / ranks).sum(1), labels.sum(1))
    return {
        "samples_f1": text_f1(labels, predicted),
        "jaccard": _share(hits, (labels | predicted).sum(1)),
        "hamming_loss": (labels != predicted).mean(1),
        "lrap": np.where(told_apart, precision, 1.0),
        "coverage_error": (labels * ranks).max(1).astype(np.float64),
        "log_loss": losses(labels, probabilities).mean(1),
        "brier": ((probabilities - labels) ** 2).mean(1),
    }


def _parts(total: int, most: int) -> list[int]:
    return [min(most, total - start) for start in range(0, total, most)]


def _share(part: NDArray[Any], whole: NDArray[Any], of_none: float = 1.0) -> NDArray[np.float64]:
    return np.where(whole > 0, part / np.maximum(whole, 1), of_none)


def _means_of_known(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return means over the labels that a resample has, (2, R), for (labels, 2, R)."""
    known = np.isfinite(scores)
    count = known.sum(0)
    total = np.where(known, scores, 0).sum(0)
    return np.where(count, total / np.maximum(count, 1), np.nan)
