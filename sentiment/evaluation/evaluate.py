"""A split as a model scored it, the parts of a report that follow, and a report without texts."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from sentiment.core.schema.report import Report, ScoredParts, TokenStatistics
from sentiment.data.inputs import Input, TextInput
from sentiment.metrics.arrays import Labels, Probabilities
from sentiment.metrics.calibration import calibration
from sentiment.metrics.curves import curves
from sentiment.metrics.decision import Decision, describe
from sentiment.metrics.task import Task

if TYPE_CHECKING:
    from sentiment.core.sections.run import ReportConfig
    from sentiment.data.sequences import Encoded


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


def without_texts(report: Report) -> Report:
    """Return a copy without texts of the corpus; mistakes and suspects keep the numbers of their rows.

    Of the audit the examples go, and beginnings and endings that tell a label, which are pieces of texts;
    single tokens stay.
    """
    result: Any = copy.deepcopy(report)
    failures, audit = result.get("failures") or {}, result.get("audit") or {}
    for one in [*failures.get("mistakes", []), *failures.get("suspects", [])]:
        for key in ("text", "truncated_text", "words"):
            one.pop(key, None)
    for split in audit.get("splits", {}).values():
        for finding in (split["unusable_rows"], *split["oddities"].values()):
            _drop_examples(finding)
    for key in ("conflicts", "near_duplicates"):
        _drop_examples(audit.get(key) or {})
    if "leakage" in audit:
        audit["leakage"] = [one for one in audit["leakage"] if one.get("kind") == "token"]
    return cast(Report, result)


def _drop_examples(finding: dict[str, Any]) -> None:
    for key in ("example", "examples"):
        finding.pop(key, None)
