"""One class a text, and what every task has; the other tasks override what differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from sentiment.core.schema.scores import Comparison, TestScores
from sentiment.metrics import class_scores, significance
from sentiment.metrics.arrays import Array, Intervals, Labels, Mask, Probabilities, Scores, Thresholds
from sentiment.metrics.bootstrap import wilson


class Multiclass:
    """Each text has one of C classes; of two, the second is the positive one."""

    name = "multiclass"  # of the setting ``corpus.task``
    noun = "class", "classes"  # what a text is given, one and many
    # Of a `sentiment.metrics.decision.Decision` without a threshold of two classes.
    rule: Literal["argmax", "thresholds", "median"] = "argmax"
    rules: tuple[str, ...] = ("argmax", "threshold")  # that a stored decision may have
    scored_as = "multiclass"  # the task whose scores and baselines it has, in their catalogues
    metric = "mcc"  # that of ``training.metric = "auto"``
    watched: tuple[str, ...] = ("accuracy", "macro_f1", "mcc")  # after each epoch
    main_score, part_score = "accuracy", "accuracy"  # by which models are compared, and parts of the texts
    exclusive = True  # a text has exactly one class, so that its probabilities sum to 1
    ordered = False  # the classes have an order
    positive: int | None = None  # the answer that rates over all questions call positive, if none is named
    compared: tuple[str, ...] = ("accuracy", "mcc")  # scores whose differences are tested

    # From the last layer to a decision

    def outputs(self, classes: int) -> int:
        """Return how many numbers the last layer gives a text."""
        return classes

    def linked(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return logits (C,) for what the last layer gives a text."""
        return outputs

    def probabilities(self, logits: Array) -> Probabilities:
        """Return the probabilities of logits, (B, C)."""
        exponentials = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(1, keepdims=True))

    def logits(self, probabilities: Probabilities) -> Array:
        """Return logits that have these probabilities, (B, C); those of a certain answer are infinite."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(probabilities))

    def decide(self, probabilities: Probabilities, thresholds: Thresholds = None) -> Labels:
        """Return the classes (B,) that probabilities (B, C) decide."""
        return np.asarray(probabilities.argmax(1))

    def sureness(self, probabilities: Probabilities, thresholds: Thresholds = None) -> Array:
        """Return how sure the decision on each text (B,) is, from 0 to 1."""
        return self.joint(probabilities, self.decide(probabilities))

    def least(self, probabilities: Probabilities, predicted: Labels) -> Array:
        """Return the probability (B,) of the least sure answer to each text."""
        return self.joint(probabilities, predicted)

    def joint(self, probabilities: Probabilities, predicted: Labels) -> Array:
        """Return the probability (B,) that all answers to a text are right."""
        return probabilities[np.arange(len(predicted)), predicted]

    def undecided(self, names: Sequence[str]) -> str | None:
        """Say why no single threshold decides between the classes; None if one does."""
        return f"there are {len(names)}" if len(names) > 2 else None

    def plain(self, names: Sequence[str]) -> dict[str, Any]:
        """Return the fields of a decision, beside labels and rule, to which nothing is fitted."""
        return {"positive": names[1], "threshold": 0.5} if len(names) == 2 else {}

    def fit_thresholds(self, labels: Labels, probabilities: Probabilities) -> tuple[float, ...] | None:
        """Return the threshold of each label that fits best; None if none has one."""
        return None

    def frequent(self, shares: Array) -> list[float] | None:
        """Return thresholds that take the most frequent of labels with shares (C,); None if none has one."""
        return None

    # Labels

    def encode(self, given: Sequence[Any], names: Sequence[str]) -> Labels:
        """Return as numbers what is given by name: a class for each text, or a tuple of labels."""
        index = {name: number for number, name in enumerate(names)}
        return np.array([index[str(name)] for name in given], np.int64)

    def named(self, answer: Any, names: Sequence[str]) -> tuple[str, ...]:
        """Return the names of one text's class, or of its labels."""
        return (names[answer],)

    def reordered(self, labels: Labels, order: Sequence[int]) -> Labels:
        """Return labels as numbers of classes that were ``order[0]``, ``order[1]``, …"""
        return np.asarray(np.argsort(order)[labels])

    def one_hot(self, labels: Labels, classes: int) -> Labels:
        """Return 1 where a text has a class, else 0, (B, C)."""
        return np.asarray(labels[:, None] == np.arange(classes), np.int64)

    def counts(self, labels: Labels, classes: int) -> Labels:
        """Count the texts by the answers to each question: (C,), or of several labels (L, 2)."""
        return np.asarray(np.bincount(labels, minlength=classes))

    def sides(self, classes: int) -> Sequence[int]:
        """Return the numbers of the classes that are told from the rest: of two, the second alone."""
        return [1] if classes == 2 else range(classes)

    def both_sides(self, margins: Array) -> Array:
        """Return logits (B, C) for margins of the `sides`: of two classes, the first has a logit of 0."""
        return np.concatenate([np.zeros_like(margins), margins], 1) if margins.shape[1] == 1 else margins

    def questions(self, labels: Labels, probabilities: Probabilities) -> tuple[Labels, Probabilities]:
        """Return labels and probabilities as they are; of several labels, as those of one question each.

        Labels (B, L) of 0 and 1 become classes (B · L,), and their probabilities (B · L, 2).
        """
        return labels, probabilities

    # Scores

    def right(self, labels: Labels, predicted: Labels) -> Mask:
        """Return of which texts (B,) the whole answer is right."""
        return np.asarray(labels == predicted)

    def quality(self, labels: Labels, predicted: Labels) -> NDArray[Any]:
        """Return how good the answer to each text (B,) is: right or not, or the F1 of its labels."""
        return np.asarray(labels == predicted)

    def believed(self, labels: Labels, probabilities: Probabilities) -> tuple[Array, Mask]:
        """Return probabilities that should be right as often as they say, and which of them were."""
        predicted = self.decide(probabilities)
        return self.joint(probabilities, predicted), predicted == labels

    def forecasts(self, labels: Labels, probabilities: Probabilities) -> list[tuple[Mask, Array]]:
        """Return what occurred and its forecasts, for each side; the Brier score is their sum."""
        return [(labels == side, probabilities[:, side]) for side in self.sides(probabilities.shape[1])]

    def histogram(self, labels: Labels, probabilities: Probabilities) -> list[Array]:
        """Return for each class the probabilities to show of its texts: its own, or of the decided one."""
        classes = probabilities.shape[1]
        shown = probabilities[:, 1] if classes == 2 else self.sureness(probabilities)
        return [shown[labels == number] for number in range(classes)]

    def worst(self, labels: Labels, probabilities: Probabilities, predicted: Labels) -> NDArray[np.int64]:
        """Return the numbers of the texts with a wrong answer, the worst mistake first."""
        wrong = np.flatnonzero(predicted != labels)
        return wrong[np.argsort(-self.joint(probabilities, predicted)[wrong], kind="stable")]

    def quick_scores(
        self, labels: Labels, probabilities: Probabilities, thresholds: Thresholds = None
    ) -> Scores:
        """Return the scores that are single numbers."""
        return class_scores.quick_scores(labels, probabilities, self.decide(probabilities))

    def of_matrices(self, matrices: Array) -> dict[str, Array]:
        """Return the scores that follow from confusion matrices (R, C, C), each (R,)."""
        return class_scores.confusion_scores(matrices)

    def confused(self, labels: Labels, predicted: Labels, classes: int) -> dict[str, Any]:
        """Return the counts of what is taken for what: the confusion matrix, its rows the true classes."""
        return {"confusion_matrix": class_scores.confusion_matrix(labels, predicted, classes).tolist()}

    def by_class(self, labels: Labels, predicted: Labels, names: Sequence[str]) -> class_scores.ByClass:
        """Return precision, recall and F1 of each class, and their averages."""
        return class_scores.by_class(labels, predicted, names)

    def scores(
        self,
        labels: Labels,
        probabilities: Probabilities,
        names: Sequence[str],
        thresholds: Thresholds = None,
    ) -> TestScores:
        """Return the scores that are single numbers, and those of each class, with what is confused."""
        predicted = self.decide(probabilities, thresholds)
        scores = {
            **self.quick_scores(labels, probabilities, thresholds),
            **self.confused(labels, predicted, len(names)),
            "labels": list(names),
            "classification_report": self.by_class(labels, predicted, names),
        }
        return cast(TestScores, scores)

    def intervals(
        self,
        labels: Labels,
        probabilities: Probabilities,
        thresholds: Thresholds = None,
        resamples: int = 1000,
    ) -> Intervals:
        """Return 95 % intervals of `quick_scores`; None of a score that is None."""
        predicted = self.decide(probabilities)
        return class_scores.intervals(labels, probabilities, predicted, self.of_matrices, resamples)

    def main_interval(
        self, labels: Labels, probabilities: Probabilities, thresholds: Thresholds = None
    ) -> list[float] | None:
        """Return the 95 % interval of the main score."""
        return wilson(int((self.decide(probabilities) == labels).sum()), len(labels))

    def compare(self, labels: Labels, ours: Labels, theirs: Labels, resamples: int = 1000) -> Comparison:
        """Compare two classifiers on the same texts, see `sentiment.metrics.significance`."""
        return significance.compare_classes(labels, ours, theirs, self.of_matrices, self.compared, resamples)
