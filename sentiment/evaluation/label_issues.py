"""Labels that look wrong, by confident learning."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sentiment.data.features import shown
from sentiment.evaluation.excerpts import excerpt
from sentiment.metrics.multiclass import Labels, Probabilities

if TYPE_CHECKING:
    pass


def suspects(
    splits: Mapping[str, tuple[Sequence[Any], Labels, Probabilities]], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Find labels that look wrong, most suspect first: confident learning (Northcutt et al. 2021).

    Parameters
    ----------
    splits
        Texts, labels and probabilities by name of the split. The model must not have been trained on
        them, or it believes their labels.

    Returns
    -------
    list of dict
        With the class that is ``suggested``, and ``quality``: the probability of the given label. Of texts
        that may have several, each label is a question of its own: to ``add`` it, or to ``take away``.
    """
    found = []
    for split, (texts, labels, probabilities) in splits.items():
        if labels.ndim == 1:
            found += [
                {
                    "split": split,
                    "row": row,
                    "text": excerpt(shown(texts[row]))[0],
                    "label": names[labels[row]],
                    "suggested": names[probabilities[row].argmax()],
                    "quality": float(probabilities[row, labels[row]]),
                }
                for row in _issues(labels, probabilities)
            ]
            continue
        for name, given, theirs in zip(names, labels.T, probabilities.T, strict=True):
            found += [
                {
                    "split": split,
                    "row": row,
                    "text": excerpt(shown(texts[row]))[0],
                    "label": name,
                    "suggested": "take away" if given[row] else "add",
                    "quality": float(theirs[row] if given[row] else 1 - theirs[row]),
                }
                for row in _issues(given, np.stack([1 - theirs, theirs], 1))
            ]
    return sorted(found, key=lambda one: one["quality"])


def _issues(labels: Labels, probabilities: Probabilities) -> list[int]:
    """Return the rows whose class, of (B,), looks wrong."""
    from cleanlab.filter import find_label_issues

    if len(set(labels.tolist())) < 2:
        return []  # nothing to confuse
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class with few texts or none
        # One process: forking after tokenizers has used its threads may hang.
        rows = find_label_issues(labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    return [int(row) for row in rows]
