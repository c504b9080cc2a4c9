"""The curves of a report as short lists: ROC, precision–recall, coverage, histogram, lengths.

The curves are scikit-learn's. B texts, C classes; of two, the second is the positive one.
"""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sentiment.core.schema.scores import (
    Coverage,
    Curves,
    Histogram,
    LengthBin,
    MeanCurves,
    PartScore,
    PrecisionRecall,
    Roc,
)
from sentiment.metrics.arrays import Array, Labels, Mask, Probabilities, Thresholds
from sentiment.metrics.bootstrap import wilson
from sentiment.metrics.calibration import quantile_bins
from sentiment.metrics.label_scores import mean_interval
from sentiment.metrics.task import Task

POINTS = 200  # most of a curve: more are not seen
HISTOGRAM_BINS, LENGTH_BINS = 20, 10


def curves(
    labels: Labels,
    probabilities: Probabilities,
    names: Sequence[str],
    task: Task,
    lengths: NDArray[np.int64] | None = None,
    thresholds: Thresholds = None,
) -> Curves:
    """Return the curves of labels (B,) and probabilities (B, C), or both (B, L).

    Parameters
    ----------
    lengths
        (B,) tokens of each text; without them there is no part ``lengths``.
    thresholds
        (L,) from which one of several labels is given.

    Returns
    -------
    dict
        ``roc`` and ``pr`` by label: of two classes the positive one, else each against the rest; a class
        that is absent from `labels`, or alone in them, has none. The areas are those of the whole curves.
        ``coverage``: accuracy on the surest share of the texts. ``histogram``: texts by true label and
        probability of the positive class, or of the top one of more than two. ``lengths``: the accuracy of
        texts of about a length. With labels (B, L), ``mean`` holds the means of the curves, the surest texts
        are those whose labels are likeliest right all at once, the histogram is of each label's probability
        in the texts that have it, and ``lengths`` has the mean F1 of a text instead.
    """
    roc, pr = {}, {}
    has = task.one_hot(labels, len(names)) == 1
    for side in task.sides(len(names)):
        positive, score = has[:, side], probabilities[:, side]
        if not positive.all() and positive.any():
            roc[names[side]], pr[names[side]] = _roc(positive, score), _precision_recall(positive, score)
    drawn = cast(Curves, {"roc": roc, "pr": pr})  # the others follow, in their order
    if len(roc) > 1 and not task.exclusive:
        drawn["mean"] = _means(roc, pr)
    predicted = task.decide(probabilities, thresholds)
    shown = dict(zip(names, task.histogram(labels, probabilities), strict=True))
    drawn["coverage"] = _coverage(task.joint(probabilities, predicted), task.right(labels, predicted))
    drawn["histogram"] = _histogram(shown)
    if lengths is not None:
        drawn["lengths"] = _lengths(task.quality(labels, predicted), lengths)
    return drawn


def _roc(positive: Mask, score: Array) -> Roc:
    from sklearn import metrics

    fpr, tpr, _ = metrics.roc_curve(positive, score)
    chosen, area = _thin(fpr, tpr), float(metrics.roc_auc_score(positive, score))
    return {"fpr": fpr[chosen].tolist(), "tpr": tpr[chosen].tolist(), "auc": area}


def _precision_recall(positive: Mask, score: Array) -> PrecisionRecall:
    from sklearn import metrics

    precision, recall, _ = metrics.precision_recall_curve(positive, score)
    chosen, area = _thin(precision, recall), float(metrics.average_precision_score(positive, score))
    return {
        "precision": precision[chosen].tolist(),
        "recall": recall[chosen].tolist(),
        "average_precision": area,
    }


def _means(roc: dict[str, Roc], pr: dict[str, PrecisionRecall]) -> MeanCurves:
    """Return the mean of the curves at each height, each label counting the same, and of their areas."""
    grid = np.linspace(0, 1, POINTS // 2 + 1)
    tpr = np.mean([np.interp(grid, curve["fpr"], curve["tpr"]) for curve in roc.values()], 0).tolist()
    precision = [np.interp(grid, curve["recall"][::-1], curve["precision"][::-1]) for curve in pr.values()]
    auc = float(np.mean([curve["auc"] for curve in roc.values()]))
    area = float(np.mean([curve["average_precision"] for curve in pr.values()]))
    heights = np.mean(precision, 0).tolist()
    return {
        "roc": {"fpr": grid.tolist(), "tpr": tpr, "auc": auc},
        "pr": {"recall": grid.tolist(), "precision": heights, "average_precision": area},
    }


def _coverage(confidence: Array, right: Mask) -> Coverage:
    order = np.argsort(-confidence, kind="stable")
    ranked, right = confidence[order], right[order]
    count = np.arange(1, len(right) + 1)
    ends = np.append(ranked[1:] != ranked[:-1], True)  # equally sure texts stay together
    coverage, accuracy = (count / len(right))[ends], (right.cumsum() / count)[ends]
    chosen = _thin(coverage, accuracy)
    return {
        "coverage": coverage[chosen].tolist(),
        "accuracy": accuracy[chosen].tolist(),
        "threshold": ranked[ends][chosen].tolist(),
    }


def _histogram(values: dict[str, Array]) -> Histogram:
    edges = np.linspace(0, 1, HISTOGRAM_BINS + 1)
    counts = {name: np.histogram(these, edges)[0].tolist() for name, these in values.items()}
    return {"edges": edges.tolist(), "counts": counts}


def _lengths(quality: NDArray[Any], lengths: NDArray[np.int64]) -> list[LengthBin]:
    index = quantile_bins(lengths, LENGTH_BINS)
    rows: list[LengthBin] = []
    for number in np.unique(index):
        inside, values = lengths[index == number], quality[index == number]
        rows.append({"low": int(inside.min()), "high": int(inside.max()), **part_score(values)})
    return rows


def part_score(quality: NDArray[Any]) -> PartScore:
    """Return the count, the score and its 95 % interval of a part of the texts.

    Parameters
    ----------
    quality
        Whether each text is right, then it is the accuracy with Wilson's interval; or the F1 of its labels,
        then it is their mean with Student's.
    """
    count, mean = len(quality), float(quality.mean())
    if quality.dtype == bool:
        return {"count": count, "accuracy": mean, "interval": wilson(int(quality.sum()), count)}
    return {"count": count, "samples_f1": mean, "interval": mean_interval(quality)}


def _thin(x: Array, y: Array) -> NDArray[np.int64]:
    """Choose at most `POINTS` points, evenly along the curve, both ends among them."""
    if len(x) <= POINTS:
        return np.arange(len(x))
    way = np.concatenate([[0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    chosen = np.searchsorted(way, np.linspace(0, way[-1], POINTS)).clip(max=len(x) - 1)
    chosen[0], chosen[-1] = 0, len(x) - 1
    return np.unique(chosen)
