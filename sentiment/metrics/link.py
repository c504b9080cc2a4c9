"""From logits to probabilities and back, by the task.

A text has one of C classes, whose probabilities sum to 1 (softmax); or, of the task ``multilabel``, each of L
labels for itself, with a probability of its own (sigmoid). Of grades a model's logits are log-probabilities
(`sentiment.models.heads.cumulative`), so that theirs are a softmax too.
"""

import numpy as np
from numpy.typing import NDArray

MULTILABEL = "multilabel"
Array = NDArray[np.float64]


def probabilities(logits: Array, task: str) -> Array:
    """Return the probabilities of logits, (B, C) or (B, L)."""
    if task == MULTILABEL:
        return np.asarray(np.exp(-np.logaddexp(0, -logits)))
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(1, keepdims=True))


def logits(probabilities: Array, task: str) -> Array:
    """Return logits that have these probabilities; those of 0, or of 1 in a sigmoid, are infinite."""
    with np.errstate(divide="ignore"):
        found = np.log(probabilities)
        return np.asarray(found - np.log1p(-probabilities) if task == MULTILABEL else found)


def single(labels: NDArray[np.int64], probabilities: Array) -> tuple[NDArray[np.int64], Array]:
    """Return labels (B,) and probabilities (B, C) as they are; of several labels, one question each.

    Labels (B, L) of 0 and 1 become classes (B · L,), and their probabilities (B · L, 2).
    """
    if labels.ndim == 1:
        return labels, probabilities
    return labels.ravel(), np.stack([1 - probabilities, probabilities], -1).reshape(-1, 2)
