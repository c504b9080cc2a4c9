"""Scores of probabilities against labels, with intervals. Arrays in, numbers out.

The scores are scikit-learn's. C classes; of two, the second is the positive one. Where a text may have
several of L labels, or none, the labels are (B, L) of 0 and 1.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentiment.metrics import ordinal
from sentiment.metrics.bootstrap import percentiles, resamplings, wilson
from sentiment.metrics.link import MULTILABEL

Labels = NDArray[np.int64]
Probabilities = NDArray[np.float64]
CORRELATIONS = {"mcc", "quadratic_kappa", "spearman"}


def top(probabilities: Probabilities, task: str = "multiclass") -> tuple[Labels, NDArray[np.float64]]:
    """Return the classes (B,) that probabilities (B, C) decide, and their own probabilities (B,).

    It is the most probable class, or of grades the median.
    """
    classes = ordinal.median(probabilities) if task == "ordinal" else probabilities.argmax(1)
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
        Of labels (B, L) they are `multilabel_scores`.
    """
    if labels.ndim == 2:
        return multilabel_scores(labels, probabilities)
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
        ranked |= {name: float(value) for name, (value,) in ordinal.scores(matrix[None]).items()}
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


def multilabel_scores(
    labels: Labels, probabilities: Probabilities, thresholds: Sequence[float] | None = None
) -> dict[str, float | None]:
    """Return the scores that are single numbers, of texts that may have several labels or none.

    Parameters
    ----------
    labels
        (B, L) of 0 and 1.
    probabilities
        (B, L), each a label's own.
    thresholds
        (L,) from which a label is given; 0.5 by default.

    Returns
    -------
    dict
        ``accuracy`` is that of all labels of a text at once. A text without a label that is given none
        counts as right in ``samples_f1`` and ``jaccard``. ROC-AUC and average precision are means over the
        labels that some of the texts have and some have not, None if there is no such label; log loss and
        Brier score are means over all labels of all texts.
    """
    from sklearn import metrics

    pair = _columns(labels, decided(probabilities, thresholds))
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


def decided(probabilities: Probabilities, thresholds: Sequence[float] | None = None) -> Labels:
    """Return the labels (B, L) of 0 and 1 that are as probable as their thresholds, 0.5 by default."""
    return (probabilities >= (0.5 if thresholds is None else np.asarray(thresholds))).astype(np.int64)


def chosen(probabilities: Probabilities, thresholds: Sequence[float] | None, task: str) -> Labels:
    """Return what a task decides: labels (B, L) by their thresholds (`decided`), or classes (B,) (`top`)."""
    return decided(probabilities, thresholds) if task == MULTILABEL else top(probabilities, task)[0]


def scores(
    labels: Labels,
    probabilities: Probabilities,
    names: Sequence[str],
    thresholds: Sequence[float] | None = None,
    task: str = "multiclass",
) -> dict[str, Any]:
    """Return the scores that are single numbers, and those of each class.

    For labels (B,) `quick_scores`, the confusion matrix (row: true class), and the report for each class.
    For labels (B, L) `multilabel_scores`, the report for each label, its own confusion matrix (row: without,
    with it; column: not given, given), and `missed_and_added`.
    """
    from sklearn import metrics

    if labels.ndim == 2:
        predicted = decided(probabilities, thresholds)
        quick = multilabel_scores(labels, probabilities, thresholds)
        pair = _columns(labels, predicted)
        matrices = metrics.multilabel_confusion_matrix(*pair)[: len(names)]
        confused = {
            "confusion_matrices": matrices.tolist(),
            "missed_and_added": missed_and_added(labels, predicted),
        }
    else:
        predicted, _ = top(probabilities, task)
        quick, pair = quick_scores(labels, probabilities, task), [labels, predicted]
        matrix = metrics.confusion_matrix(labels, predicted, labels=np.arange(len(names)))
        confused = {"confusion_matrix": matrix.tolist()}
    each = metrics.classification_report(
        *pair, labels=np.arange(len(names)), output_dict=True, zero_division=0
    )
    named = {name: each.pop(str(number)) for number, name in enumerate(names)}
    return quick | {
        **confused,
        "labels": list(names),
        "classification_report": named | each | named,  # a class may be named as one of the averages
    }


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
    found: list[list[int]] = counts.tolist()
    return found


def intervals(
    labels: Labels,
    probabilities: Probabilities,
    resamples: int = 1000,
    seed: int = 0,
    task: str = "multiclass",
) -> dict[str, list[float] | None]:
    """Return 95 % intervals of `quick_scores`; None of a score that is None.

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
    rankings = [Ranking(labels == side, probabilities[:, side]) for side in sides]
    drawn = []
    for weights in resamplings(count, resamples, seed):
        batch = confusion_scores((weights @ cells).reshape(-1, classes, classes), task)
        batch["log_loss"], batch["brier"] = (weights @ losses).T / count
        ranked = np.array([ranking.scores(weights) for ranking in rankings]).mean(0)
        batch["roc_auc"], batch["average_precision"] = ranked
        drawn.append(batch)
    # Of one class they are 0 by convention, and not known any better by more such texts.
    unknown = dict.fromkeys(set(drawn[0]) & CORRELATIONS if len(np.unique(labels)) < 2 else ())
    return percentiles(drawn) | unknown | {"accuracy": wilson(int((predicted == labels).sum()), count)}


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
        **(ordinal.scores(matrices) if task == "ordinal" else {}),
    }


class Ranking:
    """ROC-AUC and average precision of one class under many weightings of the same texts."""

    def __init__(self, positive: NDArray[np.bool_], score: NDArray[np.float64]) -> None:
        self.order = np.argsort(-score, kind="stable")
        ranked, self.positive = score[self.order], positive[self.order]
        ties = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
        # Neither score changes if ranks without a positive that follow one another become one.
        telling = np.add.reduceat(self.positive, ties) > 0
        self.ties = ties[telling | np.concatenate([[True], telling[:-1]])]

    def scores(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ROC-AUC and average precision, (2, R), for weights (R, B); NaN without both sides."""
        ranked = weights[:, self.order]
        positives = np.add.reduceat(ranked * self.positive, self.ties, axis=1)
        negatives = np.add.reduceat(ranked, self.ties, axis=1) - positives
        found, passed = positives.cumsum(1), negatives.cumsum(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            auc = (negatives * (found - positives / 2)).sum(1) / (found[:, -1] * passed[:, -1])
            precision = np.nan_to_num(found / (found + passed))
            average_precision = (precision * positives).sum(1) / found[:, -1]
        result: NDArray[np.float64] = np.array([auc, average_precision])
        result[:, passed[:, -1] == 0] = np.nan  # nothing to rank it before: a precision of 1 says nothing
        return result


def _columns(*tables: Labels) -> list[Labels]:
    """Return tables (B, L) as scikit-learn takes them: it reads a single column as two classes.

    Twice the same column has the same means.
    """
    return [np.repeat(table, 2, 1) if table.shape[1] == 1 else table for table in tables]


def _log_losses(labels: Labels, probabilities: Probabilities) -> NDArray[np.float64]:
    chosen = probabilities[np.arange(len(labels)), labels]
    return -np.log(np.clip(chosen, np.finfo(np.float64).eps, 1))


def _brier_scores(labels: Labels, probabilities: Probabilities) -> NDArray[np.float64]:
    target = labels[:, None] == np.arange(probabilities.shape[1])
    squares: NDArray[np.float64] = ((probabilities - target) ** 2).sum(1)
    return squares / 2 if probabilities.shape[1] == 2 else squares


def _brier_form(probabilities: Probabilities) -> NDArray[np.float64]:
    return probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities
