"""The curves of a report as short lists: ROC, precision–recall, coverage, histogram, lengths.

The curves are scikit-learn's. B texts, C classes; of two, the second is the positive one.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentiment.metrics import Labels, Probabilities, quantile_bins, top, wilson

POINTS = 200  # most of a curve: more are not seen
HISTOGRAM_BINS, LENGTH_BINS = 20, 10


def curves(
    labels: Labels,
    probabilities: Probabilities,
    names: Sequence[str],
    lengths: NDArray[np.int64] | None = None,
    task: str = "multiclass",
) -> dict[str, Any]:
    """Return the curves of labels (B,) and probabilities (B, C).

    Parameters
    ----------
    lengths
        (B,) tokens of each text; without them there is no part ``lengths``.

    Returns
    -------
    dict
        ``roc`` and ``pr`` by label: of two classes the positive one, else each against the rest; a class
        that is absent from `labels`, or alone in them, has none. The areas are those of the whole curves.
        ``coverage``: accuracy on the surest share of the texts. ``histogram``: texts by true label and
        probability of the positive class, or of the top one of more than two.
    """
    from sklearn import metrics

    roc, pr = {}, {}
    for side in [1] if len(names) == 2 else range(len(names)):
        positive, score = labels == side, probabilities[:, side]
        if positive.all() or not positive.any():
            continue
        fpr, tpr, _ = metrics.roc_curve(positive, score)
        kept = _thin(fpr, tpr)
        roc[names[side]] = {
            "fpr": fpr[kept].tolist(),
            "tpr": tpr[kept].tolist(),
            "auc": float(metrics.roc_auc_score(positive, score)),
        }
        precision, recall, _ = metrics.precision_recall_curve(positive, score)
        kept = _thin(precision, recall)
        pr[names[side]] = {
            "precision": precision[kept].tolist(),
            "recall": recall[kept].tolist(),
            "average_precision": float(metrics.average_precision_score(positive, score)),
        }
    decided, confidence = top(probabilities, task)
    found = {
        "roc": roc,
        "pr": pr,
        "coverage": _coverage(labels == decided, confidence),
        "histogram": _histogram(labels, probabilities[:, 1] if len(names) == 2 else confidence, names),
    }
    return found if lengths is None else found | {"lengths": _lengths(labels == decided, lengths)}


def _coverage(right: NDArray[np.bool_], confidence: NDArray[np.float64]) -> dict[str, list[float]]:
    order = np.argsort(-confidence, kind="stable")
    ranked, right = confidence[order], right[order]
    count = np.arange(1, len(right) + 1)
    ends = np.append(ranked[1:] != ranked[:-1], True)  # equally sure texts stay together
    coverage, accuracy, threshold = (
        column[ends] for column in (count / len(right), right.cumsum() / count, ranked)
    )
    kept = _thin(coverage, accuracy)
    return {
        "coverage": coverage[kept].tolist(),
        "accuracy": accuracy[kept].tolist(),
        "threshold": threshold[kept].tolist(),
    }


def _histogram(labels: Labels, values: NDArray[np.float64], names: Sequence[str]) -> dict[str, Any]:
    edges = np.linspace(0, 1, HISTOGRAM_BINS + 1)
    counts = {
        name: np.histogram(values[labels == number], edges)[0].tolist() for number, name in enumerate(names)
    }
    return {"edges": edges.tolist(), "counts": counts}


def _lengths(right: NDArray[np.bool_], lengths: NDArray[np.int64]) -> list[dict[str, Any]]:
    index = quantile_bins(lengths, LENGTH_BINS)
    rows = []
    for number in np.unique(index):
        mine, hits = lengths[index == number], right[index == number]
        rows.append(
            {
                "low": int(mine.min()),
                "high": int(mine.max()),
                "count": len(mine),
                "accuracy": float(hits.mean()),
                "interval": wilson(int(hits.sum()), len(hits)),
            }
        )
    return rows


def _thin(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
    """Choose at most `POINTS` points, evenly along the curve, both ends among them."""
    if len(x) <= POINTS:
        return np.arange(len(x))
    way = np.concatenate([[0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    chosen = np.searchsorted(way, np.linspace(0, way[-1], POINTS)).clip(max=len(x) - 1)
    chosen[0], chosen[-1] = 0, len(x) - 1
    return np.unique(chosen)
