"""One class a text: scores of probabilities against labels, with intervals. Arrays in, numbers out.

The scores are scikit-learn's. B texts, C classes; of two, the second is the positive one. What was predicted
is given beside the probabilities: a task may decide by another rule than the top class.
"""

import warnings
from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from sentiment.core.schema.scores import ClassScores
from sentiment.metrics.arrays import Array, Intervals, Labels, OfMatrices, Probabilities, Scores
from sentiment.metrics.bootstrap import Ranking, percentiles, resamplings, wilson

ByClass = dict[str, ClassScores | float]  # and the averages
CORRELATIONS = {"mcc", "quadratic_kappa", "spearman"}


def quick_scores(labels: Labels, probabilities: Probabilities, predicted: Labels) -> Scores:
    """Return the scores that are single numbers.

    Parameters
    ----------
    labels, predicted
        (B,) true classes, and those that are decided.
    probabilities
        (B, C), rows that sum to 1.

    Returns
    -------
    dict
        ROC-AUC and average precision are None where a class is absent from `labels`; for more than two
        classes they are the mean of one class against the rest. The Brier score is that of two classes
        on the positive one; for more, the sum over classes.
    """
    from sklearn import metrics

    classes = np.arange(probabilities.shape[1])
    present = np.unique(labels)
    ranked: Scores = {"roc_auc": None, "average_precision": None}
    if len(present) == len(classes):
        if len(classes) == 2:
            target, score = labels, probabilities[:, 1]
        else:
            target, score = (labels[:, None] == classes).astype(np.int64), probabilities
        ranked["roc_auc"] = float(metrics.roc_auc_score(target, score))
        ranked["average_precision"] = float(metrics.average_precision_score(target, score))
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


def confusion_matrix(labels: Labels, predicted: Labels, classes: int) -> NDArray[np.int64]:
    """Count the texts by true class (row) and predicted class (column), (C, C)."""
    counts = np.bincount(labels * classes + predicted, minlength=classes**2)
    return counts.reshape(classes, classes)


def by_class(labels: Labels, predicted: Labels, names: Sequence[str]) -> ByClass:
    """Return precision, recall and F1 of each class, or of each label (B, L), and their averages."""
    from sklearn import metrics

    each = metrics.classification_report(
        labels, predicted, labels=np.arange(len(names)), output_dict=True, zero_division=0
    )
    named = {name: each.pop(str(number)) for number, name in enumerate(names)}
    return cast(ByClass, named | each | named)  # a class may be named as one of the averages


def intervals(
    labels: Labels, probabilities: Probabilities, predicted: Labels, of_matrices: OfMatrices, resamples: int
) -> Intervals:
    """Return 95 % intervals of scores; None of a score that is None.

    Accuracy: Wilson's score interval. The others: percentiles of a bootstrap over the texts, which
    is computed from weights (how often a text is drawn), so that no resample is ever sorted again.
    """
    from scipy import sparse

    count, classes = probabilities.shape
    # One column for each cell of the confusion matrix, then the losses that are means over texts.
    cell = np.arange(count), labels * classes + predicted
    cells = sparse.csr_array((np.ones(count), cell), (count, classes * classes))
    losses = np.stack([_log_losses(labels, probabilities), _brier_scores(labels, probabilities)], 1)
    sides = [1] if classes == 2 else range(classes)
    rankings = [Ranking(labels == side, probabilities[:, side]) for side in sides]
    drawn = []
    for weights in resamplings(count, resamples):
        batch = of_matrices((weights @ cells).reshape(-1, classes, classes))
        batch["log_loss"], batch["brier"] = (weights @ losses).T / count
        ranked = np.array([ranking.scores(weights) for ranking in rankings]).mean(0)
        batch["roc_auc"], batch["average_precision"] = ranked
        drawn.append(batch)
    # Of one class they are 0 by convention, and not known any better by more such texts.
    unknown = dict.fromkeys(set(drawn[0]) & CORRELATIONS if len(np.unique(labels)) < 2 else ())
    return percentiles(drawn) | unknown | {"accuracy": wilson(int((predicted == labels).sum()), count)}


def confusion_scores(matrices: Array) -> dict[str, Array]:
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
    }


def _log_losses(labels: Labels, probabilities: Probabilities) -> Array:
    chosen = probabilities[np.arange(len(labels)), labels]
    return -np.log(np.clip(chosen, np.finfo(np.float64).eps, 1))


def _brier_scores(labels: Labels, probabilities: Probabilities) -> Array:
    target = labels[:, None] == np.arange(probabilities.shape[1])
    squares: Array = ((probabilities - target) ** 2).sum(1)
    return squares / 2 if probabilities.shape[1] == 2 else squares


def _brier_form(probabilities: Probabilities) -> Array:
    return probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities
