"""Texts with their labels, and what a model says of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sentiment.data.inputs import Input, TextInput
from sentiment.metrics.arrays import Labels, Probabilities
from sentiment.metrics.decision import Decision
from sentiment.metrics.task import Task


@dataclass(frozen=True)
class Scored:
    """A split of a corpus as a model answered it.

    Attributes
    ----------
    texts
        B texts, or arrays of features.
    labels, probabilities
        (B,) and (B, C), tempered; of several labels (B, L) both.
    decision
        Of the model: it knows the names of the classes, the task and the thresholds of labels.
    input
        What the texts are.
    """

    texts: Sequence[Any]
    labels: Labels
    probabilities: Probabilities
    decision: Decision
    input: Input = field(default_factory=TextInput)

    @property
    def task(self) -> Task:
        """What a label is."""
        return self.decision.task

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes or labels."""
        return self.decision.labels

    @cached_property
    def predicted(self) -> Labels:
        """What is most probable: a threshold of two classes may decide otherwise."""
        return self.task.decide(self.probabilities, self.decision.thresholds)
