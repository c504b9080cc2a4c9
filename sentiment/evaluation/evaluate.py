"""The parts of a report that follow from labels and probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sentiment.core.schema.report import ScoredParts, TokenStatistics
from sentiment.metrics.calibration import calibration
from sentiment.metrics.curves import curves
from sentiment.metrics.decision import Decision, describe
from sentiment.metrics.task import Task

if TYPE_CHECKING:
    from sentiment.core.sections.run import ReportConfig
    from sentiment.data.sequences import Encoded


def evaluate(
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    names: Sequence[str],
    config: ReportConfig,
    task: Task,
    decision: Decision | None = None,
    lengths: NDArray[np.int64] | None = None,
) -> ScoredParts:
    """Return the parts of a report that follow from labels (B,) and tempered probabilities (B, C).

    Of several labels both are (B, L), and those given are those of the decision, or of a probability of 0.5
    on.
    They are ``test``, ``intervals``, ``calibration`` and ``curves``; with a decision also ``decision``,
    and the calibration before its temperature; with the lengths (B,) of the texts the curve of them.
    """
    thresholds = decision.thresholds if decision is not None else None
    parts: ScoredParts = {
        "task": task.name,
        "test": task.scores(labels, probabilities, names, thresholds),
        "intervals": task.intervals(labels, probabilities, thresholds, config.bootstrap),
        "calibration": calibration(labels, probabilities, task),
        "curves": curves(labels, probabilities, names, task, lengths, thresholds),
    }
    if decision is not None:
        parts["decision"] = describe(decision, labels, probabilities)
        before = replace(decision, temperature=1 / decision.temperature).temper(probabilities)
        parts["calibration"]["before"] = calibration(labels, before, task)
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
