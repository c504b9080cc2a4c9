"""NB-SVM (Wang and Manning 2012): a linear SVM on features scaled by their log-count ratios."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sentiment.metrics.arrays import Array, Labels, Mask, Probabilities
from sentiment.metrics.calibration import fit_temperature
from sentiment.metrics.task import Task

# C of the SVM, and its share in the mean of SVM and naive Bayes: that of the paper, and 1, which is better
# where many n-grams are counted (IMDB: 91.4 % instead of 88.7 %).
SVM_PENALTIES, SHARES = (0.01, 0.1, 1.0), (0.25, 1.0)


@dataclass(frozen=True)
class NBSVM:
    """A fitted NB-SVM: weights (features, sides), bias (sides,), and what was chosen on validation.

    Of two classes there is one side, of more or of several labels as many as these.
    """

    weights: Array
    bias: Array
    temperature: float
    penalty: float
    share: float

    def probabilities(self, features: Any, task: Task) -> Probabilities:
        """Return (B, C) for features (B, features)."""
        return task.probabilities(margins(features, self.weights, self.bias) / self.temperature)


def fit_nbsvm(
    train: Any,
    validation: Any,
    labels: Labels,
    held_out: Labels,
    classes: int,
    task: Task,
    penalties: Sequence[float],
) -> NBSVM:
    """Train NB-SVM on sparse features (B, features) of labels (B,), or (B, L), chosen by those held out.

    The penalties are tried in their order until one does worse than the one before.
    """
    has = task.one_hot(labels, classes) == 1  # (B, C)
    sides = [has[:, side] for side in task.sides(classes)]
    best, before = None, np.inf
    for penalty in penalties:
        machines = [fit_side(train, side, penalty) for side in sides]
        bias = np.array([machine[2] for machine in machines])
        losses = []
        for share in SHARES:
            weights = np.stack(
                [ratios * ((1 - share) * np.abs(svm).mean() + share * svm) for ratios, svm, _ in machines], 1
            )  # (features, sides)
            logits = margins(validation, weights, bias)
            temperature = fit_temperature(held_out, logits, task)
            losses.append(log_loss(held_out, task.probabilities(logits / temperature), task))
            if best is None or losses[-1] < best[0]:
                best = losses[-1], NBSVM(weights, bias, temperature, penalty, share)
        if min(losses) > before:
            break
        before = min(losses)
    assert best is not None
    return best[1]


def fit_side(features: Any, positive: Mask, penalty: float) -> tuple[Any, Any, float]:
    """Return log-count ratios (features,), weights of a linear SVM on what they scale, and its bias."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    if positive.all() or not positive.any():  # a label that all texts have, or none: nothing to tell
        return np.zeros(features.shape[1]), np.zeros(features.shape[1]), 10.0 if positive.any() else -10.0
    shares = [1 + np.asarray(features[of].sum(0)).ravel() for of in (positive, ~positive)]  # 1 for the unseen
    ratios = np.log(shares[0] / shares[0].sum()) - np.log(shares[1] / shares[1].sum())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of a C that validation will not choose
        svm = LinearSVC(C=penalty, random_state=0).fit(features.multiply(ratios).tocsr(), positive)
    return ratios, svm.coef_[0], svm.intercept_[0]


def margins(features: Any, weights: Any, bias: Any) -> Array:
    """Return the margins as logits (B, C); of two classes, the first has the second's, negated."""
    of_sides: Array = features @ weights + bias
    return np.concatenate([-of_sides, of_sides], 1) if of_sides.shape[1] == 1 else of_sides


def log_loss(labels: Labels, probabilities: Probabilities, task: Task) -> float:
    """Return the log loss of classes, or of each label for itself."""
    from sklearn.metrics import log_loss

    labels, probabilities = task.questions(labels, probabilities)
    return float(log_loss(labels, probabilities, labels=range(probabilities.shape[1])))
