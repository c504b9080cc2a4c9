"""The parts of a report that follow from labels and probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sentiment.core.schema.report import ScoredParts, TokenStatistics
from sentiment.evaluation.scored import Scored
from sentiment.metrics.calibration import calibration
from sentiment.metrics.curves import curves
from sentiment.metrics.decision import describe

if TYPE_CHECKING:
    from sentiment.core.sections.run import ReportConfig
    from sentiment.data.sequences import Encoded


def evaluate(
    scored: Scored,
    config: ReportConfig,
    lengths: NDArray[np.int64] | None = None,
    logits: NDArray[np.float64] | None = None,
) -> ScoredParts:
    """Return the parts of a report that follow from labels and probabilities.

    They are ``test``, ``intervals``, ``calibration`` and ``curves``; with the lengths (B,) of the texts the
    curve of them; and with the logits (B, C) that the decision was made from, ``decision``, and the
    calibration before its temperature.
    """
    labels, probabilities, decision, task = scored.labels, scored.probabilities, scored.decision, scored.task
    names, thresholds = scored.names, decision.thresholds
    parts: ScoredParts = {
        "task": task.name,
        "test": task.scores(labels, probabilities, names, thresholds),
        "intervals": task.intervals(labels, probabilities, thresholds, config.bootstrap),
        "calibration": calibration(labels, probabilities, task),
        "curves": curves(labels, probabilities, names, task, lengths, thresholds),
    }
    if logits is not None:
        parts["decision"] = describe(decision, labels, probabilities)
        parts["calibration"]["before"] = calibration(labels, task.probabilities(logits), task)
    return parts


def token_statistics(encoded: Encoded, texts: Sequence[str]) -> TokenStatistics:
    """Say how a split looks to the model; ``characters`` are those of a token, on average."""
    lengths = encoded.sequences.lengths
    return {
        "characters": sum(map(len, texts)) / max(1, int(encoded.lengths.sum())),
        "tokens": int(lengths.sum()),
        "median_length": float(np.median(lengths)),
        "truncated": float(encoded.truncated.mean()),
        "in_windows": float((encoded.sequences.counts > 1).mean()),
        "unknown_rate": float(encoded.unknown_rate.mean()),
    }
