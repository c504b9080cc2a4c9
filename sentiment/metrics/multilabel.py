"""Any number of L labels a text, or none: each label is a question of its own, with two answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentiment.core.schema.scores import Comparison
from sentiment.metrics import label_scores
from sentiment.metrics.arrays import Array, Intervals, Labels, Mask, Probabilities, Scores, Thresholds
from sentiment.metrics.class_scores import ByClass
from sentiment.metrics.multiclass import Multiclass
from sentiment.metrics.significance import compare_labels

FEWEST = 10  # texts with a label, for a threshold of its own


class Multilabel(Multiclass):
    """Each text has any of L labels, or none: each is a question of its own."""

    name, scored_as, rule, noun = "multilabel", "multilabel", "thresholds", ("label", "labels")
    main_score, part_score, metric = "micro_f1", "samples_f1", "micro_f1"
    watched = ("accuracy", "macro_f1", "micro_f1")
    rules = ("thresholds",)
    exclusive, positive = False, 1

    def probabilities(self, logits: Array) -> Probabilities:
        return np.asarray(np.exp(-np.logaddexp(0, -logits)))

    def logits(self, probabilities: Probabilities) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(probabilities) - np.log1p(-probabilities))

    def decide(self, probabilities: Probabilities, thresholds: Thresholds = None) -> Labels:
        return (probabilities >= (0.5 if thresholds is None else np.asarray(thresholds))).astype(np.int64)

    def sureness(self, probabilities: Probabilities, thresholds: Thresholds = None) -> Array:
        # How far the least sure label is from its threshold: from 0.5.
        centre = log_odds(np.array(0.5 if thresholds is None else thresholds))
        distance = np.abs(log_odds(probabilities) - centre).min(1)
        return np.asarray(1 / (1 + np.exp(-distance)))

    def least(self, probabilities: Probabilities, predicted: Labels) -> Array:
        return np.asarray(np.where(predicted == 1, probabilities, 1 - probabilities).min(1))

    def joint(self, probabilities: Probabilities, predicted: Labels) -> Array:
        return np.asarray(np.exp(-label_scores.losses(predicted, probabilities).sum(1)))

    def undecided(self, names: Sequence[str]) -> str | None:
        return "a text may have several labels"

    def plain(self, names: Sequence[str]) -> dict[str, Any]:
        return {"thresholds": (0.5,) * len(names)}

    def fit_thresholds(self, labels: Labels, probabilities: Probabilities) -> tuple[float, ...] | None:
        return label_thresholds(labels, probabilities)

    def frequent(self, shares: Array) -> list[float] | None:
        # As many as texts have on average, and at least one.
        given = max(1, round(shares.sum()))
        return [float(np.sort(shares)[-given])] * len(shares)

    def encode(self, given: Sequence[Any], names: Sequence[str]) -> Labels:
        return np.array([[name in own for name in names] for own in given], np.int64)

    def named(self, answer: Any, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(name for name, has in zip(names, answer, strict=True) if has)

    def reordered(self, labels: Labels, order: Sequence[int]) -> Labels:
        return labels[:, order]

    def one_hot(self, labels: Labels, classes: int) -> Labels:
        return labels

    def counts(self, labels: Labels, classes: int) -> Labels:
        return np.stack([(labels == side).sum(0) for side in (0, 1)], 1)

    def sides(self, classes: int) -> Sequence[int]:
        return range(classes)

    def both_sides(self, margins: Array) -> Array:
        return margins

    def questions(self, labels: Labels, probabilities: Probabilities) -> tuple[Labels, Probabilities]:
        return labels.ravel(), np.stack([1 - probabilities, probabilities], -1).reshape(-1, 2)

    def right(self, labels: Labels, predicted: Labels) -> Mask:
        return np.asarray((labels == predicted).all(1))

    def quality(self, labels: Labels, predicted: Labels) -> NDArray[Any]:
        return label_scores.text_f1(labels, predicted)

    def believed(self, labels: Labels, probabilities: Probabilities) -> tuple[Array, Mask]:
        return probabilities.ravel(), labels.ravel() == 1

    def forecasts(self, labels: Labels, probabilities: Probabilities) -> list[tuple[Mask, Array]]:
        return [(labels.ravel() == 1, probabilities.ravel())]

    def histogram(self, labels: Labels, probabilities: Probabilities) -> list[Array]:
        return [shown[has == 1] for has, shown in zip(labels.T, probabilities.T, strict=True)]

    def worst(self, labels: Labels, probabilities: Probabilities, predicted: Labels) -> NDArray[np.int64]:
        # By the log loss, summed over all labels.
        wrong = np.flatnonzero((predicted != labels).any(1))
        loss = label_scores.losses(labels, probabilities)[wrong].sum(1)
        return wrong[np.argsort(-loss, kind="stable")]

    def quick_scores(
        self, labels: Labels, probabilities: Probabilities, thresholds: Thresholds = None
    ) -> Scores:
        return label_scores.quick_scores(labels, probabilities, self.decide(probabilities, thresholds))

    def confused(self, labels: Labels, predicted: Labels, classes: int) -> dict[str, Any]:
        return {
            "confusion_matrices": label_scores.confusion_matrices(labels, predicted, classes),
            "missed_and_added": label_scores.missed_and_added(labels, predicted),
        }

    def by_class(self, labels: Labels, predicted: Labels, names: Sequence[str]) -> ByClass:
        labels, predicted = label_scores.columns(labels, predicted)
        return super().by_class(labels, predicted, names)

    def intervals(
        self,
        labels: Labels,
        probabilities: Probabilities,
        thresholds: Thresholds = None,
        resamples: int = 1000,
    ) -> Intervals:
        predicted = self.decide(probabilities, thresholds)
        return label_scores.intervals(labels, probabilities, predicted, resamples)

    def main_interval(
        self, labels: Labels, probabilities: Probabilities, thresholds: Thresholds = None
    ) -> list[float] | None:
        return self.intervals(labels, probabilities, thresholds)[self.main_score]

    def compare(self, labels: Labels, ours: Labels, theirs: Labels, resamples: int = 1000) -> Comparison:
        return compare_labels(labels, ours, theirs, resamples)


def label_thresholds(labels: Labels, probabilities: Probabilities) -> tuple[float, ...]:
    """Return for each label the threshold of its best F1, from labels (B, L) and probabilities (B, L).

    A text counts half by its label and half by its probability: few texts tell little, and the tempered
    probabilities say what to expect of others. (With 60 to 400 validation texts of two topics each, from
    which thresholds were drawn 60 times, micro F1 on other texts was 0.2 to 0.4 points better than by the
    labels alone.) A label that fewer than `FEWEST` texts have takes the threshold that is best for all
    labels together, by micro F1. A threshold lies in the middle between two scores.
    """
    weights = (labels + probabilities) / 2
    common = best_f1(weights.ravel(), probabilities.ravel())
    return tuple(
        best_f1(weight, scores) if has.sum() >= FEWEST else common
        for has, weight, scores in zip(labels.T, weights.T, probabilities.T, strict=True)
    )


def between(steps: Array, chosen: int) -> float:
    """Return a threshold that the chosen one of falling scores reaches, and the next does not."""
    score, below = steps[chosen], steps[chosen + 1] if chosen + 1 < len(steps) else 0.0
    middle = (score + below) / 2
    return float(middle if middle > below else score)


def best_f1(weights: Array, scores: Array) -> float:
    """Return the threshold on scores (B,) of the best F1, with (B,) weights of being true, from 0 to 1."""
    if not weights.any():
        return 0.5
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.append(ranked[1:] != ranked[:-1], True)
    f1 = 2 * weights[order].cumsum() / (np.arange(len(ranked)) + 1 + weights.sum())
    return between(ranked[ends], int(f1[ends].argmax()))


def log_odds(probabilities: Array) -> Array:
    """Return finite log-odds of probabilities."""
    edge = np.finfo(np.float64).eps
    clipped = probabilities.clip(edge, 1 - edge)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))
