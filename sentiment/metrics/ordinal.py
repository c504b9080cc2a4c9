"""Grades: classes in order, such as 1 to 5 stars. How one is decided, and scores of them.

B texts, C grades, from the lowest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentiment.core.schema.scores import Comparison
from sentiment.metrics import class_scores
from sentiment.metrics.arrays import Array, Labels, Probabilities, Scores, Thresholds
from sentiment.metrics.multiclass import Multiclass
from sentiment.metrics.significance import sign_flips


class Ordinal(Multiclass):
    """Each text has one of C grades in order, such as 1 to 5 stars; three or more."""

    name, scored_as, rule, ordered = "ordinal", "ordinal", "median", True
    rules = ("median",)
    main_score, metric = "mae", "quadratic_kappa"
    watched = ("mae", "quadratic_kappa", "accuracy")
    compared = ("accuracy", "mcc", "mae", "quadratic_kappa")

    def outputs(self, classes: int) -> int:
        return classes - 1

    def linked(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        # Log-probabilities, as `sentiment.models.heads.cumulative` makes them.
        thresholds = np.concatenate([outputs[:1], np.logaddexp(0, outputs[1:])]).cumsum()
        logits = np.zeros(len(outputs) + 1, outputs.dtype)
        logits[:-1] -= np.logaddexp(0, -thresholds)
        logits[1:] -= np.logaddexp(0, thresholds)
        logits[1:-1] -= np.logaddexp(0, -outputs[1:])
        return logits

    def decide(self, probabilities: Probabilities, thresholds: Thresholds = None) -> Labels:
        # The median: of all decisions it has the least absolute error to expect.
        return np.asarray((probabilities[:, :-1].cumsum(1) < 0.5).sum(1))

    def plain(self, names: Sequence[str]) -> dict[str, Any]:
        return {}

    def worst(self, labels: Labels, probabilities: Probabilities, predicted: Labels) -> NDArray[np.int64]:
        wrong, off = super().worst(labels, probabilities, predicted), np.abs(predicted - labels)
        return wrong[np.argsort(-off[wrong], kind="stable")]

    def quick_scores(
        self, labels: Labels, probabilities: Probabilities, thresholds: Thresholds = None
    ) -> Scores:
        scores = super().quick_scores(labels, probabilities)
        last = {name: scores.pop(name) for name in ("log_loss", "brier")}
        matrix = class_scores.confusion_matrix(labels, self.decide(probabilities), probabilities.shape[1])
        grades = {name: float(value) for name, (value,) in grade_scores(matrix[None].astype(float)).items()}
        return scores | grades | last

    def of_matrices(self, matrices: Array) -> dict[str, Array]:
        return super().of_matrices(matrices) | grade_scores(matrices)

    def main_interval(
        self, labels: Labels, probabilities: Probabilities, thresholds: Thresholds = None
    ) -> list[float] | None:
        return self.intervals(labels, probabilities)[self.main_score]

    def compare(self, labels: Labels, ours: Labels, theirs: Labels, resamples: int = 1000) -> Comparison:
        comparison = super().compare(labels, ours, theirs, resamples)
        comparison["mae"]["p"] = sign_flips(np.abs(ours - labels) - np.abs(theirs - labels))
        return comparison


def grade_scores(matrices: Array) -> dict[str, Array]:
    """Return what confusion matrices (R, C, C) of grades say beside the scores of classes, each (R,).

    ``mae`` is the mean absolute error in steps, from one grade to the next; ``within_one`` the share that is
    one step off at most; ``quadratic_kappa`` the agreement beyond chance, mistakes weighing by the squares of
    their steps (Cohen 1968); ``spearman`` the rank correlation of true and decided grades. The last two are 0
    where they are not defined, as all grades are one.
    """
    places = np.arange(matrices.shape[1])
    steps = np.abs(places[:, None] - places)
    true, decided = matrices.sum(2), matrices.sum(1)  # (R, C)
    total = true.sum(1)

    def mean(weights: NDArray[np.int64]) -> Array:
        return np.asarray((matrices * weights).sum((1, 2)) / total)

    by_chance = np.einsum("ri,rj,ij->r", true, decided, steps**2) / total**2
    # Ranks of equal grades are their mean; from the middle of all ranks.
    ranks, theirs = (sums.cumsum(1) - (sums + total[:, None]) / 2 for sums in (true, decided))
    spread = (true * ranks**2).sum(1) * (decided * theirs**2).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        kappa = 1 - mean(steps**2) / by_chance
        correlation = np.einsum("rij,ri,rj->r", matrices, ranks, theirs) / np.sqrt(spread)
    return {
        "mae": mean(steps),
        "quadratic_kappa": np.nan_to_num(kappa),
        "within_one": mean((steps <= 1).astype(np.int64)),
        "spearman": np.nan_to_num(correlation),
    }
