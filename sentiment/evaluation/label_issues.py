"""Labels that look wrong, by confident learning."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping

import numpy as np

from sentiment.core.schema.report import Suspect
from sentiment.evaluation.excerpts import excerpt
from sentiment.evaluation.scored import Scored
from sentiment.metrics.arrays import Labels, Probabilities


def suspects(splits: Mapping[str, Scored]) -> list[Suspect]:
    """Find labels that look wrong, most suspect first: confident learning (Northcutt et al. 2021).

    Parameters
    ----------
    splits
        By name. The model must not have been trained on them, or it believes their labels.

    Returns
    -------
    list of dict
        With the class that is ``suggested``, and ``quality``: the probability of the given label. Of texts
        that may have several, each label is a question of its own: to ``add`` it, or to ``take away``.
    """
    found: list[Suspect] = [
        {
            "split": split,
            "row": row,
            "text": excerpt(scored.input.shown(scored.texts[row]))[0],
            "label": label,
            "suggested": suggested,
            "quality": quality,
        }
        for split, scored in splits.items()
        for row, label, suggested, quality in (_classes if scored.task.exclusive else _labels)(scored)
    ]
    return sorted(found, key=lambda suspect: suspect["quality"])


def _classes(scored: Scored) -> Iterator[tuple[int, str, str, float]]:
    for row in _issues(scored.labels, scored.probabilities):
        shares, given = scored.probabilities[row], scored.labels[row]
        yield row, scored.names[given], scored.names[shares.argmax()], float(shares[given])


def _labels(scored: Scored) -> Iterator[tuple[int, str, str, float]]:
    for name, given, shares in zip(scored.names, scored.labels.T, scored.probabilities.T, strict=True):
        for row in _issues(given, np.stack([1 - shares, shares], 1)):
            quality = float(shares[row] if given[row] else 1 - shares[row])
            yield row, name, "take away" if given[row] else "add", quality


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
