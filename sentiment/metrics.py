"""Scores of probabilities against labels, with intervals. Arrays in, numbers out.

The scores are scikit-learn's. C classes; of two, the second is the positive one.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentiment import grades

Labels = NDArray[np.int64]
Probabilities = NDArray[np.float64]
CHUNK = 50  # bootstrap resamples worked on at once: bounds memory


def top(probabilities: Probabilities, task: str = "multiclass") -> tuple[Labels, NDArray[np.float64]]:
    """Return the classes (B,) that probabilities (B, C) decide, and their own probabilities (B,).

    It is the most probable class, or of grades the median.
    """
    classes = grades.median(probabilities) if task == "ordinal" else probabilities.argmax(1)
    return classes, probabilities[np.arange(len(classes)), classes]


def quick_scores(
    labels: Labels, probabilities: Probabilities, task: str = "multiclass"
) -> dict[str, float | None]:
    """Return the scores that are single numbers.

    Parameters
    ----------
    labels
        (B,) true classes.
    probabilities
        (B, C), rows that sum to 1.

    Returns
    -------
    dict
        ROC-AUC and average precision are None where a class is absent from `labels`; for more than two
        classes they are the mean of one class against the rest. The Brier score is that of two classes
        on the positive one; for more, the sum over classes. Of grades there are also `grades.scores`.
    """
    from sklearn import metrics

    classes = np.arange(probabilities.shape[1])
    predicted, _ = top(probabilities, task)
    present = np.unique(labels)
    ranked: dict[str, float | None] = {"roc_auc": None, "average_precision": None}
    if len(present) == len(classes):
        if len(classes) == 2:
            target, score = labels, probabilities[:, 1]
        else:
            target, score = (labels[:, None] == classes).astype(np.int64), probabilities
        ranked["roc_auc"] = float(metrics.roc_auc_score(target, score))
        ranked["average_precision"] = float(metrics.average_precision_score(target, score))
    if task == "ordinal":
        matrix = metrics.confusion_matrix(labels, predicted, labels=classes)
        ranked |= {name: float(value) for name, (value,) in grades.scores(matrix[None]).items()}
    f1 = {
        average: metrics.f1_score(labels, predicted, labels=classes, average=average, zero_division=0)
        for average in ("macro", "weighted")
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class that is predicted but absent, or alone
        return {
            "accuracy": float(metrics.accuracy_score(labels, predicted)),
            "balanced_accuracy": float(metrics.balanced_accuracy_score(labels, predicted)),
            "macro_f1": float(f1["macro"]),
            "weighted_f1": float(f1["weighted"]),
            "mcc": float(metrics.matthews_corrcoef(labels, predicted)),
            **ranked,
            "log_loss": float(metrics.log_loss(labels, probabilities, labels=classes)),
            "brier": float(metrics.brier_score_loss(labels, _brier_form(probabilities), labels=classes)),
        }


def scores(
    labels: Labels, probabilities: Probabilities, names: Sequence[str], task: str = "multiclass"
) -> dict[str, Any]:
    """Return `quick_scores`, the confusion matrix (row: true class) and the report for each class."""
    from sklearn import metrics

    classes, (predicted, _) = np.arange(len(names)), top(probabilities, task)
    each = metrics.classification_report(labels, predicted, labels=classes, output_dict=True, zero_division=0)
    named = {name: each.pop(str(number)) for number, name in enumerate(names)}
    return quick_scores(labels, probabilities, task) | {
        "confusion_matrix": metrics.confusion_matrix(labels, predicted, labels=classes).tolist(),
        "labels": list(names),
        "classification_report": named | each | named,  # a class may be named as one of the averages
    }


def intervals(
    labels: Labels,
    probabilities: Probabilities,
    resamples: int = 1000,
    seed: int = 0,
    task: str = "multiclass",
) -> dict[str, list[float] | None]:
    """Return 95 % intervals of `quick_scores`.

    Accuracy: Wilson's score interval. The others: percentiles of a bootstrap over the texts, which
    is computed from weights (how often a text is drawn), so that no resample is ever sorted again.
    """
    from scipy import sparse

    count, classes = probabilities.shape
    predicted, _ = top(probabilities, task)
    # One column for each cell of the confusion matrix, then the losses that are means over texts.
    cells = sparse.csr_array(
        (np.ones(count), (np.arange(count), labels * classes + predicted)),
        (count, classes * classes),
    )
    losses = np.stack([_log_losses(labels, probabilities), _brier_scores(labels, probabilities)], 1)
    sides = [1] if classes == 2 else range(classes)
    rankings = [_Ranking(labels == side, probabilities[:, side]) for side in sides]
    generator = np.random.default_rng(seed)
    drawn: dict[str, list[NDArray[np.float64]]] = {}
    for start in range(0, resamples, CHUNK):
        size = min(CHUNK, resamples - start)
        weights = generator.multinomial(count, np.full(count, 1 / count), size).astype(np.float64)
        batch = confusion_scores((weights @ cells).reshape(size, classes, classes), task)
        batch["log_loss"], batch["brier"] = (weights @ losses).T / count
        ranked = np.array([ranking.scores(weights) for ranking in rankings]).mean(0)
        batch["roc_auc"], batch["average_precision"] = ranked
        for name, values in batch.items():
            drawn.setdefault(name, []).append(values)
    result: dict[str, list[float] | None] = {}
    for name, parts in drawn.items():
        values = np.concatenate(parts)
        finite = values[np.isfinite(values)]  # a resample may lack a rare class
        result[name] = [float(edge) for edge in np.percentile(finite, [2.5, 97.5])] if len(finite) else None
    result["accuracy"] = wilson(int((predicted == labels).sum()), count)
    return result


def wilson(count: int, total: int) -> list[float] | None:
    """Return Wilson's 95 % interval of the share `count` of `total`, or None of nothing."""
    from scipy import stats

    if not total:
        return None
    interval = stats.binomtest(count, total).proportion_ci(method="wilson")
    return [float(interval.low), float(interval.high)]


def quantile_bins(values: NDArray[Any], count: int) -> NDArray[np.int64]:
    """Number at most `count` bins of about equal mass, (B,); equal values fall into one bin."""
    edges = np.quantile(values, np.arange(1, count) / count, method="inverted_cdf")
    return np.searchsorted(np.unique(edges), values, side="left").astype(np.int64)


def confusion_scores(
    matrices: NDArray[np.float64], task: str = "multiclass"
) -> dict[str, NDArray[np.float64]]:
    """Return the scores that follow from confusion matrices (R, C, C), each (R,)."""
    right = np.diagonal(matrices, axis1=1, axis2=2)  # (R, C)
    true, predicted = matrices.sum(2), matrices.sum(1)  # (R, C)
    total = true.sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        recall = right / true
        f1 = np.nan_to_num(2 * right / (true + predicted))
        covariance = right.sum(1) * total - (true * predicted).sum(1)
        spread = (total**2 - (predicted**2).sum(1)) * (total**2 - (true**2).sum(1))
        mcc = np.nan_to_num(covariance / np.sqrt(spread), posinf=0, neginf=0)
        balanced = np.nanmean(recall, 1)
    return {
        "accuracy": right.sum(1) / total,
        "balanced_accuracy": balanced,
        "macro_f1": f1.mean(1),
        "weighted_f1": (f1 * true).sum(1) / total,
        "mcc": mcc,
        **(grades.scores(matrices) if task == "ordinal" else {}),
    }


class _Ranking:
    """ROC-AUC and average precision of one class under many weightings of the same texts."""

    def __init__(self, positive: NDArray[np.bool_], score: NDArray[np.float64]) -> None:
        self.order = np.argsort(-score, kind="stable")
        ranked = score[self.order]
        self.ties = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
        self.positive = positive[self.order]

    def scores(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ROC-AUC and average precision, (2, R), for weights (R, B)."""
        ranked = weights[:, self.order]
        positives = np.add.reduceat(ranked * self.positive, self.ties, axis=1)
        negatives = np.add.reduceat(ranked, self.ties, axis=1) - positives
        found, passed = positives.cumsum(1), negatives.cumsum(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            auc = (negatives * (found - positives / 2)).sum(1) / (found[:, -1] * passed[:, -1])
            precision = np.nan_to_num(found / (found + passed))
            average_precision = (precision * positives).sum(1) / found[:, -1]
        result: NDArray[np.float64] = np.array([auc, average_precision])
        return result


def _log_losses(labels: Labels, probabilities: Probabilities) -> NDArray[np.float64]:
    chosen = probabilities[np.arange(len(labels)), labels]
    return -np.log(np.clip(chosen, np.finfo(np.float64).eps, 1))


def _brier_scores(labels: Labels, probabilities: Probabilities) -> NDArray[np.float64]:
    target = labels[:, None] == np.arange(probabilities.shape[1])
    squares: NDArray[np.float64] = ((probabilities - target) ** 2).sum(1)
    return squares / 2 if probabilities.shape[1] == 2 else squares


def _brier_form(probabilities: Probabilities) -> NDArray[np.float64]:
    return probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities
