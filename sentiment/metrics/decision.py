"""From probabilities to a decision: temperature, threshold, and who is left to a person.

Fitted on validation texts, stored in the bundle, obeyed by `predict` and described in the report.
Reading and applying one needs NumPy only. B texts, C classes; L labels, where a text may have several.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from sentiment.core.schema.scores import DecisionFacts, Unsure, ValidationRates
from sentiment.metrics.arrays import Array, Labels, Mask, Probabilities
from sentiment.metrics.bootstrap import wilson
from sentiment.metrics.calibration import fit_temperature
from sentiment.metrics.multilabel import log_odds
from sentiment.metrics.targets import choose_threshold, parse_target, read_target
from sentiment.metrics.task import MULTICLASS, Task

if TYPE_CHECKING:
    from sentiment.core.sections.run import DecisionConfig


@dataclass(frozen=True)
class Decision:
    """What is made of the probabilities of a classifier.

    Attributes
    ----------
    rule
        ``argmax``, or ``threshold``: `positive` if and only if its probability is `threshold` or more; or
        ``thresholds``, where a text may have several labels: all that are as probable as their own; or of
        grades ``median``, see `sentiment.metrics.ordinal`.
    unsure
        ``low`` and ``high``, between which the probability of `positive` (of the chosen class, if there are
        more than two; of several labels, of being on this side of its threshold, for the least sure one)
        is too unsure to decide; ``share``: of the texts that was asked for.
    """

    labels: tuple[str, ...]  # names of the classes, by number
    temperature: float = 1.0  # divides the logits
    rule: Literal["argmax", "threshold", "thresholds", "median"] = "argmax"
    positive: str | None = None  # of two classes, the one that rates are about
    threshold: float | None = None  # of two classes; 0.5 under ``argmax``
    thresholds: tuple[float, ...] | None = None  # (L,), see `sentiment.metrics.multilabel.label_thresholds`
    target: str | None = None  # what the threshold was chosen for, as it was asked for: a rate, or ``cost``
    reached: bool | None = None  # by the validation texts; if not, the threshold is the nearest to the target
    unsure: Unsure | None = None
    validation: ValidationRates | None = None  # see `rates`
    task: Task = MULTICLASS  # what a label is; not stored, as it is the model's

    @classmethod
    def plain(cls, labels: Sequence[str], task: Task = MULTICLASS) -> Decision:
        """Return the decision for the top class, or the likely labels, at the probabilities as they are."""
        return cls(tuple(labels), rule=task.rule, task=task, **task.plain(labels))

    def probabilities(self, logits: Array) -> Probabilities:
        """Return the probabilities of a model's logits, (B, C) or (B, L), that all else is made from."""
        return self.task.probabilities(logits / self.temperature)

    def decide(self, probabilities: Probabilities) -> tuple[NDArray[np.int64], Mask]:
        """Return the classes (B,) of tempered probabilities, and which of the texts (B,) are unsure.

        Of several labels, they are (B, L) of 0 and 1.
        """
        classes = self.task.decide(probabilities, self.thresholds)
        score = self.task.sureness(probabilities, self.thresholds)
        if self.positive is not None:
            side = self.labels.index(self.positive)
            score = probabilities[:, side]
            if self.rule == "threshold" and self.threshold is not None:
                classes = np.where(score >= self.threshold, side, 1 - side)
        if self.unsure is None:
            return classes, np.zeros(len(classes), bool)
        return classes, (score > self.unsure["low"]) & (score < self.unsure["high"])

    def as_dict(self) -> dict[str, Any]:
        """Return what ``decision.json`` holds."""
        content = asdict(self) | {"labels": list(self.labels)}
        del content["task"]
        return content

    @classmethod
    def from_dict(cls, content: dict[str, Any], task: Task = MULTICLASS) -> Decision:
        """Take what `as_dict` returned; anything else raises ValueError, TypeError or KeyError."""
        thresholds = content.get("thresholds")
        lists = {"labels": tuple(content["labels"]), "thresholds": thresholds and tuple(thresholds)}
        decision = cls(**content | lists, task=task)
        if not decision.temperature > 0 or (decision.rule == "threshold" and decision.threshold is None):
            raise ValueError("the decision has no threshold, or no temperature above 0")
        decision.decide(decision.probabilities(np.zeros((1, len(decision.labels)))))  # fails now if it has to
        return decision


def fit(
    config: DecisionConfig, labels: Labels, logits: Array, names: Sequence[str], task: Task = MULTICLASS
) -> Decision:
    """Fit a decision to the labels (B,) and logits (B, C) of validation texts.

    Of several labels, (B, L) both, each gets a threshold of its own, see `sentiment.metrics.multilabel`.
    A threshold for a cost is ``false_positive_cost / (false_positive_cost + false_negative_cost)``
    (Elkan 2001): tempered probabilities mean what they say. For one from a target see
    `sentiment.metrics.targets.choose_threshold`.
    The unsure are the given share of the texts that are nearest to the threshold (any label's), measured
    in log-odds, or whose class is the least probable.
    """
    positive, target = read_target(config, names, task)
    decision = Decision.plain(names, task)
    if config.temperature:
        decision = replace(decision, temperature=fit_temperature(labels, logits, task))
    probabilities = decision.probabilities(logits)
    decision = replace(decision, thresholds=task.fit_thresholds(labels, probabilities))
    if positive is not None:
        costs = config.false_positive_cost, config.false_negative_cost
        decision = replace(decision, positive=positive, threshold=costs[0] / sum(costs))
        if costs[0] != costs[1]:
            decision = replace(decision, rule="threshold", target="cost")
        if target is not None:
            side = decision.labels.index(positive)
            threshold, reached = choose_threshold(target, labels == side, probabilities[:, side])
            decision = replace(
                decision, rule="threshold", threshold=threshold, target=config.target, reached=reached
            )
    if config.unsure:
        decision = replace(decision, unsure=_band(decision, probabilities, config.unsure))
    measured = rates(decision, labels, probabilities)
    counts = measured.pop("counts")
    values = {name: rate["value"] for name, rate in measured.items()}
    edges = {name: rate["interval"] for name, rate in measured.items()}
    validation = values | {"counts": counts, "intervals": edges}
    return replace(decision, validation=cast(ValidationRates, validation))


def rates(decision: Decision, labels: Labels, probabilities: Probabilities) -> dict[str, Any]:
    """Return what a decision makes of texts with labels (B,) and tempered probabilities (B, C).

    Returns
    -------
    dict
        ``accuracy``, and of two classes ``precision``, ``recall`` (for spam: what is caught) and
        ``false_positive_rate`` (blocked ham), each over the texts that are decided; ``coverage``, the
        share of those. Of several labels accuracy is that of all labels of a text at once, and the other
        rates are of all labels together. Each is a dictionary of ``value`` and ``interval`` (Wilson, 95 %),
        both None where there is nothing to count. ``counts`` are the texts, or labels, behind them.
    """
    classes, unsure = decision.decide(probabilities)
    right, sure = classes == labels, ~unsure
    whole = decision.task.right(labels, classes)
    counts = {"right": whole & sure, "wrong": ~whole & sure, "unsure": unsure}
    side = decision.task.positive if decision.positive is None else decision.labels.index(decision.positive)
    if side is not None:
        taken = classes == side
        sure = sure.reshape(-1, *[1] * (taken.ndim - 1))
        counts |= {
            "true_positive": taken & right & sure,
            "false_positive": taken & ~right & sure,
            "true_negative": ~taken & right & sure,
            "false_negative": ~taken & ~right & sure,
        }
    n = {name: int(rows.sum()) for name, rows in counts.items()}
    decided = n["right"] + n["wrong"]
    shares = {"accuracy": (n["right"], decided), "coverage": (decided, len(labels))}
    if side is not None:
        tp, fp = n["true_positive"], n["false_positive"]
        shares["precision"] = tp, tp + fp
        shares["recall"] = tp, tp + n["false_negative"]
        shares["false_positive_rate"] = fp, fp + n["true_negative"]
    return {
        name: {"value": part / total if total else None, "interval": wilson(part, total)}
        for name, (part, total) in shares.items()
    } | {"counts": n}


def describe(decision: Decision, labels: Labels, probabilities: Probabilities) -> DecisionFacts:
    """Return the part ``decision`` of a report: the decision, and its rates on test texts.

    ``holds`` says whether the target lies within or on the good side of the test's interval.
    """
    measured = rates(decision, labels, probabilities)
    facts = decision.as_dict() | {"test": measured, "holds": _holds(decision, measured)}
    return cast(DecisionFacts, facts)


def shortfall(decision: Decision) -> str | None:
    """Say that the target was not reached, and what was; None if there is nothing to say."""
    if decision.reached is not False or decision.validation is None:
        return None
    shown = ", ".join(
        f"{name} {value:.4g}"
        for name in ("precision", "recall", "false_positive_rate")
        if (value := decision.validation[name]) is not None
    )
    return (
        f"decision.target {decision.target!r} is not reached on the validation texts; the nearest is kept: "
        f"threshold {decision.threshold:.4g}, with {shown}"
    )


def _holds(decision: Decision, measured: dict[str, Any]) -> bool | None:
    if decision.target is None or decision.target == "cost":
        return None
    target = parse_target(decision.target, decision.labels, decision.positive)
    interval = measured[target.measure]["interval"]
    return None if interval is None else bool(max(map(target.slack, interval)) >= 0)


def _band(decision: Decision, probabilities: Probabilities, share: float) -> Unsure:
    if decision.positive is None:
        score = decision.task.sureness(probabilities, decision.thresholds)
        return {"low": 0.0, "high": float(np.quantile(score, share)), "share": share}
    threshold = decision.threshold
    assert threshold is not None
    centre = log_odds(np.array(threshold))
    scores = probabilities[:, decision.labels.index(decision.positive)]
    reach = np.quantile(np.abs(log_odds(scores) - centre), share)
    low, high = 1 / (1 + np.exp(-(centre + np.array([-reach, reach]))))
    return {"low": float(low), "high": float(high), "share": share}
