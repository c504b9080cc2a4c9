"""What a task is to torch: from the outputs of the last layer to logits, and to a loss.

Each is one row of `HEADS`. Shapes: B texts, C classes or labels. A text has one question of C answers, or one
of two for each label.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional


class Head:
    """Of one class a text; the other tasks override what differs."""

    def linked(self, outputs: Tensor) -> Tensor:
        """Return logits (B, C) for the outputs of the last layer."""
        return outputs

    def biases(self, labels: NDArray[np.int64], classes: int) -> Tensor | None:
        """Return what the biases of the last layer begin with; None if as any layer's do."""
        return None

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """Return (B, questions, answers) for logits (B, C)."""
        return logits.log_softmax(1)[:, None]  # (B, 1, C)

    def answers(self, target: Tensor, like: Tensor) -> Tensor:
        """Return targets as probabilities (B, questions, answers), of as many answers as there."""
        if target.ndim == 1:
            target = functional.one_hot(target, like.shape[2])
        return target[:, None].to(like.dtype)


class GradesHead(Head):
    """Of grades in order: a cumulative link."""

    def linked(self, outputs: Tensor) -> Tensor:
        return cumulative(outputs)

    def biases(self, labels: NDArray[np.int64], classes: int) -> Tensor | None:
        # As frequent as in training.
        counts = torch.from_numpy(np.bincount(labels, minlength=classes))
        shares = counts.double() + 0.5  # no threshold is infinite
        thresholds = (shares / shares.sum()).cumsum(0)[:-1].logit()
        return torch.cat([thresholds[:1], thresholds.diff().expm1().log()])


class LabelsHead(Head):
    """Of any number of labels: each is a question of its own."""

    def log_probabilities(self, logits: Tensor) -> Tensor:
        return torch.stack([functional.logsigmoid(-logits), functional.logsigmoid(logits)], -1)  # (B, L, 2)

    def answers(self, target: Tensor, like: Tensor) -> Tensor:
        return torch.stack([1 - target, target], 2).to(like.dtype)


HEADS = {"multiclass": Head(), "ordinal": GradesHead(), "multilabel": LabelsHead()}


def cumulative(outputs: Tensor) -> Tensor:
    """Return log-probabilities (B, C) of grades in order, for outputs (B, C - 1): a cumulative link.

    A grade of k or less has the probability σ(t_k), with thresholds t that rise by construction: the first
    output is t_1, and each other one gives, by its softplus, the step to the next. This is the model of
    McCullagh (1980), but for odds that need not be proportional: a text has a score, and a spread too.
    """
    outputs = outputs.float()
    first, steps = outputs[:, :1], outputs[:, 1:]
    thresholds = torch.cat([first, functional.softplus(steps)], 1).cumsum(1)  # (B, C - 1)
    below, above = functional.logsigmoid(thresholds), functional.logsigmoid(-thresholds)
    # σ(b) - σ(a) = σ(b) σ(-a) (1 - exp(a - b)), the last of which is σ of the output: nothing cancels.
    between = functional.logsigmoid(steps)  # (B, C - 2)
    pad = functional.pad
    return pad(below, (0, 1)) + pad(above, (1, 0)) + pad(between, (1, 1))
