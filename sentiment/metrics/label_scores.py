"""Texts that may have several of L labels, or none: scores with their intervals.

Arrays in, numbers out. Labels are (B, L) of 0 and 1. The scores are scikit-learn's.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentiment.metrics.arrays import Array, Intervals, Labels, Probabilities, Scores
from sentiment.metrics.bootstrap import Ranking, percentiles, resamplings, wilson

F1 = ("micro_f1", "macro_f1", "weighted_f1")


def quick_scores(labels: Labels, probabilities: Probabilities, predicted: Labels) -> Scores:
    """Return the scores that are single numbers, of texts that may have several labels or none.

    Parameters
    ----------
    labels, predicted
        (B, L) of 0 and 1: the true ones, and those that are given.
    probabilities
        (B, L), each a label's own.

    Returns
    -------
    dict
        ``accuracy`` is that of all labels of a text at once. A text without a label that is given none
        counts as right in ``samples_f1`` and ``jaccard``. ROC-AUC and average precision are means over the
        labels that some of the texts have and some have not, None if there is no such label; log loss and
        Brier score are means over all labels of all texts.
    """
    from sklearn import metrics

    pair = columns(labels, predicted)
    f1 = {
        average: float(metrics.f1_score(*pair, average=average, zero_division=float(average == "samples")))
        for average in ("micro", "macro", "weighted", "samples")
    }
    sides = np.flatnonzero(labels.any(0) & ~labels.all(0))
    ranked = [
        (metrics.roc_auc_score(labels[:, side], probabilities[:, side]),
         metrics.average_precision_score(labels[:, side], probabilities[:, side]))
        for side in sides
    ]  # fmt: skip
    auc, average_precision = np.mean(ranked, 0).tolist() if ranked else (None, None)
    # Of the least probable label that is true, how many are as probable or more (coverage_error).
    reach = probabilities >= np.where(labels, probabilities, np.inf).min(1, keepdims=True)
    return {
        "accuracy": float(metrics.accuracy_score(*pair)),
        **{f"{average}_f1": value for average, value in f1.items()},
        "jaccard": float(metrics.jaccard_score(*pair, average="samples", zero_division=1)),
        "hamming_loss": float(metrics.hamming_loss(*pair)),
        "lrap": float(metrics.label_ranking_average_precision_score(labels, probabilities)),
        "coverage_error": float(reach.sum(1).mean()),
        "roc_auc": auc,
        "average_precision": average_precision,
        "log_loss": float(metrics.log_loss(labels.ravel(), probabilities.ravel(), labels=[0, 1])),
        "brier": float(metrics.brier_score_loss(labels.ravel(), probabilities.ravel(), labels=[0, 1])),
    }


def intervals(labels: Labels, probabilities: Probabilities, predicted: Labels, resamples: int) -> Intervals:
    """Return 95 % intervals of `quick_scores`, as `class_scores.intervals` makes them.

    All scores but the two of rankings are sums over the texts, or follow from such.
    """
    hits = np.concatenate([labels & predicted, predicted, labels], 1).astype(np.float64)  # (B, 3L)
    means = means_of_texts(labels, predicted, probabilities)
    table = np.stack(list(means.values()), 1)  # (B, scores)
    sides = np.flatnonzero(labels.any(0) & ~labels.all(0))
    rankings = [Ranking(labels[:, side] == 1, probabilities[:, side]) for side in sides]
    drawn = []
    for weights in resamplings(len(labels), resamples):
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


def confusion_matrices(labels: Labels, predicted: Labels, count: int) -> list[list[list[int]]]:
    """Count the texts by each label: row without, with it; column not given, given."""
    from sklearn import metrics

    matrices: list[list[list[int]]]
    matrices = metrics.multilabel_confusion_matrix(*columns(labels, predicted))[:count].tolist()
    return matrices


def missed_and_added(labels: Labels, predicted: Labels) -> list[list[int]]:
    """Count which label was missed where which other was added, (L + 1, L + 1), for (B, L) of 0 and 1.

    Row: a true label that was not given, column: one that was given and is not true, both in one text. The
    last column stands for nothing added, the last row for nothing missed: each miss and each addition is
    counted at least once. After the multi-label confusion matrix of Heydarian et al. (2022), but for labels
    that were right: those are not blamed for what was added to them.
    """
    missed, added = (
        np.column_stack([wrong, ~wrong.any(1)]).astype(np.float64)  # as floats they multiply fast
        for wrong in (labels > predicted, predicted > labels)
    )
    counts: NDArray[np.int64] = (missed.T @ added).astype(np.int64)
    counts[-1, -1] = 0  # texts without a mistake
    table: list[list[int]] = counts.tolist()
    return table


def columns(*tables: Labels) -> list[Labels]:
    """Return tables (B, L) as scikit-learn takes them: it reads a single column as two classes.

    Twice the same column has the same means.
    """
    return [np.repeat(table, 2, 1) if table.shape[1] == 1 else table for table in tables]


def text_f1(labels: Labels, predicted: Labels) -> Array:
    """Return the F1 of the labels of each text, (B,); 1 where there are none and none are given."""
    return share(2 * (labels & predicted).sum(1), labels.sum(1) + predicted.sum(1))


def mean_interval(values: Array) -> list[float] | None:
    """Return Student's 95 % interval of the mean of shares, within 0 and 1; None of fewer than two."""
    from scipy import stats

    if len(values) < 2:
        return None
    reach = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return [float(np.clip(values.mean() + side * reach, 0, 1)) for side in (-1, 1)]


def losses(labels: Labels, probabilities: Probabilities) -> Array:
    """Return the log loss of each label of each text, (B, L)."""
    told = np.where(labels == 1, probabilities, 1 - probabilities)
    return np.asarray(-np.log(np.clip(told, np.finfo(np.float64).eps, 1)))


def _f1(hits: Array, given: Array, true: Array) -> dict[str, Array]:
    """Return the means of F1 that follow from counts by label, each (R, L)."""
    each, whole = share(2 * hits, given + true, 0.0), true.sum(1)
    return {
        "micro_f1": share(2 * hits.sum(1), given.sum(1) + whole, 0.0),
        "macro_f1": each.mean(1),
        "weighted_f1": share((each * true).sum(1), whole, 0.0),
    }


def means_of_texts(labels: Labels, predicted: Labels, probabilities: Probabilities) -> dict[str, Array]:
    """Return the scores that are means over the texts, each (B,)."""
    from scipy.stats import rankdata

    hits = (labels & predicted).sum(1)
    # Of each true label: how many are as probable or more, and how many true ones of those.
    ranks = rankdata(-probabilities, "max", axis=1)
    among = rankdata(np.where(labels == 1, -probabilities, np.inf), "max", axis=1)
    told_apart = (labels.sum(1) > 0) & (labels.sum(1) < labels.shape[1])
    precision = share((labels * among / ranks).sum(1), labels.sum(1))
    return {
        "samples_f1": text_f1(labels, predicted),
        "jaccard": share(hits, (labels | predicted).sum(1)),
        "hamming_loss": (labels != predicted).mean(1),
        "lrap": np.where(told_apart, precision, 1.0),
        "coverage_error": (labels * ranks).max(1).astype(np.float64),
        "log_loss": losses(labels, probabilities).mean(1),
        "brier": ((probabilities - labels) ** 2).mean(1),
    }


def share(part: NDArray[Any], whole: NDArray[Any], of_none: float = 1.0) -> Array:
    """Return parts of wholes, and `of_none` where there is none."""
    return np.where(whole > 0, part / np.maximum(whole, 1), of_none)


def _means_of_known(scores: Array) -> Array:
    """Return means over the labels that a resample has, (2, R), for (labels, 2, R)."""
    known = np.isfinite(scores)
    count = known.sum(0)
    total = np.where(known, scores, 0).sum(0)
    return np.where(count, total / np.maximum(count, 1), np.nan)
